//! `mutants`, in a program that was built without them.

use crate::misuse::Misuse;
use crate::screen::Screen;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Whatever is asked for
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    _any: Vec<String>,
}

pub(crate) fn run(_: &Arguments, _: &mut Screen) -> Result<u8, Misuse> {
    Err(Misuse::new("mutants: expected a program built with the feature mutants (cargo build --features mutants)"))
}
