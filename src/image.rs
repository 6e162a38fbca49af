//! `image show`, `image make` and `image index`: raw disk images, in the words of `sanlock direct`.

use crate::misuse::Misuse;
use crate::screen::Screen;
use clap::{Args, Subcommand, ValueEnum};
use lease_core::format::Name;
use lease_core::profile::Profile;
use lease_core::seam::{IndexChange, IndexOperation};
use reports::image::{Fresh, Make, Show, Target, make, show_file};
use reports::index::{self, Index, Printed};
use scenarios::ProfileName;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Show what is on an image, as `sanlock direct dump` prints it
    Show(ShowArguments),
    /// Format areas, as `sanlock direct init` does
    Make(MakeArguments),
    /// Work on a resource index, as `sanlock direct` does; nobody else may be using the image
    #[command(after_help = "Exit status: 0 done, 1 refused by the engine, 2 misuse.")]
    Index(IndexArguments),
}

/// What is done to an index.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    /// Makes an empty index, whatever was there
    Format,
    /// Makes a resource in the first free area and records it
    Create,
    /// Forgets a resource and clears its area
    Delete,
    /// Says where a name is, whose an offset is, or (with neither) which area is free
    Lookup,
    /// Records a name for an offset, or with -z forgets it; areas stay as they are
    Update,
    /// Records what is found in the areas
    Rebuild,
}

#[derive(Args, Debug)]
pub(crate) struct IndexArguments {
    /// What to do
    operation: Operation,
    /// The image
    image: PathBuf,
    /// The index
    #[arg(short = 'x', value_name = "LS:OFFSET")]
    index: String,
    /// The resource
    #[arg(short = 'e', value_name = "NAME[:OFFSET]")]
    entry: Option<String>,
    /// update: forget the entry
    #[arg(short = 'z')]
    clear: bool,
    /// create: how many hosts take part; 0: as many as there is room for
    #[arg(short = 'n', value_name = "HOSTS", default_value_t = 0)]
    num_hosts: u64,
    /// format: how many resources; 0: 4096
    #[arg(short = 'm', value_name = "RESOURCES", default_value_t = 0)]
    max_resources: u32,
    /// Whose way of doing it
    #[arg(long, value_name = "PROFILE", default_value = "hardened")]
    profile: ProfileName,
    #[command(flatten)]
    sizes: Sizes,
}

impl IndexArguments {
    fn operation(&self) -> Result<IndexOperation, Misuse> {
        let (name, offset) = self.entry.as_deref().map_or(Ok((Name::EMPTY, 0)), index::entry)?;
        let named = |what: &str| match name.is_empty() {
            true => Err(Misuse::new(format_args!("{what}: expected -e NAME, found no name"))),
            false => Ok(()),
        };
        Ok(match self.operation {
            Operation::Format => IndexOperation::Format {
                geometry: index::sizes(&self.image, self.sizes.sector, self.sizes.align)?,
                max_resources: self.max_resources,
            },
            Operation::Create => {
                named("create")?;
                IndexOperation::Create { name, num_hosts: self.num_hosts }
            }
            Operation::Delete => {
                named("delete")?;
                IndexOperation::Delete { name, offset }
            }
            Operation::Lookup => IndexOperation::Lookup { name, offset },
            Operation::Update => IndexOperation::Update {
                name,
                offset,
                change: if self.clear { IndexChange::Remove } else { IndexChange::Add },
            },
            Operation::Rebuild => IndexOperation::Rebuild,
        })
    }

    fn run(&self, screen: &mut Screen) -> Result<u8, Misuse> {
        let profile = match self.profile {
            ProfileName::Sanlock385 => Profile::SANLOCK_3_8_5,
            ProfileName::Hardened => Profile::HARDENED,
        };
        let told = index::operate(&self.image, Index::parse(&self.index)?, self.operation()?, profile)?;
        // The words of the real tools.
        let action = match self.operation {
            Operation::Format => "format",
            Operation::Create => "create_resource",
            Operation::Delete => "delete_resource",
            Operation::Lookup => "lookup",
            Operation::Update => "update",
            Operation::Rebuild => "rebuild",
        };
        screen.say(&Printed { action, told: &told }.to_string())?;
        Ok(u8::from(told.is_err()))
    }
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
        Arguments::Index(arguments) => return arguments.run(screen),
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
