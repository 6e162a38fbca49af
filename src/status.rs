//! `status`: what a host's daemon would have told at a moment of a trace, in sanlock's own words.

use crate::misuse::Misuse;
use crate::replay::moment;
use crate::screen::Screen;
use clap::{Args, ValueEnum};
use lease_core::format::Name;
use model::Instant;
use reports::status::{self, text};
use scenarios::Trace;
use scenarios::status::{NoStatus, host_at};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "What an engine without processes and files does not have is printed with a fixed value: 0 for \
    fd, helper_*, uid, gid, res_id and token_id. A pid is the number of the process, a path the name of the disk.\n\
    Exit status: 0 told, 1 no daemon runs there then, 2 misuse."
)]
pub(crate) struct Arguments {
    /// The trace
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The host that is asked
    #[arg(long, value_name = "HOST")]
    host: String,
    /// The moment, in seconds
    #[arg(long, value_name = "T", value_parser = moment)]
    at: Instant,
    /// What it is asked for
    #[arg(long, value_name = "WHAT", default_value = "status")]
    what: What,
    /// The lockspace, for host_status and renewal
    #[arg(short = 's', value_name = "LS")]
    lockspace: Option<String>,
    /// With every key
    #[arg(short = 'D')]
    detail: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "snake_case")]
enum What {
    /// Daemon, clients, lockspaces and resources
    Status,
    /// The hosts of each lockspace as they were last seen
    HostStatus,
    /// The renewals of a lockspace
    Renewal,
    /// Lockspaces, and the states of their hosts
    Gets,
    /// What each client holds
    Inquire,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let file = arguments.trace.display().to_string();
    let read = std::fs::read_to_string(&arguments.trace)
        .map_err(|error| Misuse::new(format_args!("{file}: expected a trace, found: {error}")))?;
    let trace = Trace::parse(&file, &read).map_err(Misuse::new)?;
    let space = match &arguments.lockspace {
        None => None,
        Some(name) => Some(
            Name::from_text(name)
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Misuse::new(format_args!("-s: expected 1 to 48 bytes, found {name:?}")))?,
        ),
    };
    let case = trace.case();
    if let Some(space) = &space
        && case.setup.lockspace_named(space).is_none()
    {
        let known = case.setup.lockspaces.iter().map(|space| space.name.to_string()).collect::<Vec<_>>().join(", ");
        return Err(Misuse::new(format_args!("{file}: expected one of the lockspaces {known}, found \"{space}\"")));
    }
    let host = match host_at(&trace, &case, &arguments.host, arguments.at) {
        Ok(host) => host,
        // The real tool says nothing then, and fails.
        Err(why @ NoStatus::NoDaemon { .. }) => return screen.say(&format!("{why}\n")).map(|()| 1),
        Err(why) => return Err(Misuse::new(format_args!("{file}: {why}"))),
    };
    let what = match arguments.what {
        What::Status => status::What::Status,
        What::HostStatus => status::What::HostStatus,
        What::Renewal => status::What::Renewal,
        What::Gets => status::What::Gets,
        What::Inquire => status::What::Inquire,
    };
    screen.say(&text(&host, what, space.as_ref(), arguments.detail))?;
    Ok(0)
}
