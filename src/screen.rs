//! Where results go: standard output, and files that appear whole or not at all.

use crate::misuse::Misuse;
use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::path::{Path, PathBuf};

/// Standard output. If its reader is gone (`leaselab gate | head -1`), what follows is written nowhere, and the verdict
/// stays what it is.
pub(crate) struct Screen {
    out: BufWriter<StdoutLock<'static>>,
    gone: bool,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        Screen { out: BufWriter::new(io::stdout().lock()), gone: false }
    }

    /// Writes a text, and at once, for a campaign may take a while.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Misuse> {
        self.write_all(text.as_bytes())
            .and_then(|()| self.flush())
            .map_err(|error| Misuse::new(format_args!("standard output: expected to be written, found: {error}")))
    }

    fn unless_gone(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            other => other,
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.gone {
            let result = self.out.write_all(bytes);
            self.unless_gone(result)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let result = self.out.flush();
        self.unless_gone(result)
    }
}

/// A file to be written at the end of a run, looked at before it begins: after an hour it is late to hear that there is
/// no such folder.
#[derive(Debug)]
pub(crate) struct Destination {
    /// As the user calls it.
    path: PathBuf,
    /// What it is in the end: a link stays, and what it points to is replaced.
    target: PathBuf,
}

impl Destination {
    pub(crate) fn new(path: &Path) -> Result<Destination, Misuse> {
        if path.is_dir() {
            return Err(Misuse::new(format_args!("{}: expected a file to write to, found a folder", path.display())));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.file_name().is_none() || !folder.is_dir() {
            let folder = folder.display();
            return Err(Misuse::new(format_args!(
                "{}: expected a file to write to, found no folder {folder}",
                path.display()
            )));
        }
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Destination { path: path.to_owned(), target })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets `fill` write a file beside the destination, and puts it in its place if that went well. A device or a pipe
    /// (`/dev/stdout`) is no file that could be replaced: it is written to.
    pub(crate) fn write(&self, fill: impl FnOnce(&mut std::fs::File) -> io::Result<()>) -> Result<(), Misuse> {
        let failed = |error: io::Error| {
            Misuse::new(format_args!("{}: expected to be written, found: {error}", self.path.display()))
        };
        if self.target.exists() && !self.target.is_file() {
            let device = std::fs::OpenOptions::new().write(true).open(&self.target);
            return device.and_then(|mut device| fill(&mut device)).map_err(failed);
        }
        let mut name = OsString::from(".");
        name.push(self.target.file_name().expect("looked at in the beginning"));
        name.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = self.target.with_file_name(name);
        let written = std::fs::File::create(&unfinished)
            .and_then(|mut file| fill(&mut file).and_then(|()| file.flush()))
            .and_then(|()| std::fs::rename(&unfinished, &self.target));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&unfinished);
            failed(error)
        })
    }

    /// Writes a text.
    pub(crate) fn write_text(&self, text: &str) -> Result<(), Misuse> {
        self.write(|file| file.write_all(text.as_bytes()))
    }
}
