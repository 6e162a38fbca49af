//! `image show` and `image make`: raw disk images, in the words of `sanlock direct dump` and `sanlock direct init`.

use crate::misuse::Misuse;
use crate::screen::Screen;
use clap::{Args, Subcommand};
use reports::image::{Fresh, Make, Show, Target, make, show_file};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Show what is on an image, as `sanlock direct dump` prints it
    Show(ShowArguments),
    /// Format areas, as `sanlock direct init` does
    Make(MakeArguments),
}

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// The image, and from which byte on, and how many bytes
    #[arg(value_name = "FILE[:OFFSET[:SIZE]]")]
    target: String,
    /// 0: leases; 1: also requests, bitmaps and index entries; 2: also the host blocks of ballots
    #[arg(short = 'f', value_name = "0|1|2", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    detail: u8,
    #[command(flatten)]
    sizes: Sizes,
}

#[derive(Args, Debug)]
pub(crate) struct MakeArguments {
    /// The image; made if it is missing
    file: PathBuf,
    /// A lockspace
    #[arg(short = 's', value_name = "LS:0:OFFSET")]
    lockspaces: Vec<String>,
    /// A resource
    #[arg(short = 'r', value_name = "LS:RES:OFFSET[:num_hosts]")]
    resources: Vec<String>,
    /// An index of resources with its private lease
    #[arg(short = 'x', value_name = "LS:OFFSET")]
    indices: Vec<String>,
    /// io_timeout that lockspaces are formatted with, in seconds
    #[arg(short = 'o', value_name = "SECONDS", default_value_t = 10)]
    io_timeout: u16,
    #[command(flatten)]
    sizes: Sizes,
}

#[derive(Args, Debug)]
struct Sizes {
    /// Bytes of a sector: 512 or 4096
    #[arg(short = 'Z', value_name = "512|4096", value_parser = sector)]
    sector: Option<u32>,
    /// Bytes of an area: 1M, 2M, 4M or 8M
    #[arg(short = 'A', value_name = "1M|2M|4M|8M", value_parser = align)]
    align: Option<u64>,
}

fn sector(text: &str) -> Result<u32, String> {
    match text {
        "512" => Ok(512),
        "4096" => Ok(4096),
        _ => Err("expected 512 or 4096".to_owned()),
    }
}

fn align(text: &str) -> Result<u64, String> {
    let megabytes = [("1M", 1), ("2M", 2), ("4M", 4), ("8M", 8)].into_iter().find(|(name, _)| *name == text);
    megabytes.map(|(_, number)| number << 20).ok_or_else(|| "expected 1M, 2M, 4M or 8M".to_owned())
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    match arguments {
        Arguments::Show(ShowArguments { target, detail, sizes }) => {
            let how = Show { detail: *detail, sector: sizes.sector, align: sizes.align };
            show_file(&Target::parse(target)?, how, screen)?;
            screen.flush().map_err(Misuse::new)?;
        }
        Arguments::Make(MakeArguments { file, lockspaces, resources, indices, io_timeout, sizes }) => {
            let lockspaces = lockspaces.iter().map(|text| Fresh::lockspace(text));
            let resources = resources.iter().map(|text| Fresh::resource(text));
            let indices = indices.iter().map(|text| Fresh::rindex(text));
            let areas = lockspaces.chain(resources).chain(indices).collect::<Result<Vec<_>, _>>()?;
            make(file, &areas, Make { io_timeout: *io_timeout, sector: sizes.sector, align: sizes.align })?;
        }
    }
    Ok(0)
}
