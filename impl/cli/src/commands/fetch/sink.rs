//! Where a response goes.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter, Stdout},
};

use crate::{args::FetchArguments, exit::CommandError};

/// Bytes that are gathered before a file is written to.
const BUFFER_BYTES: usize = 256 * 1024;

/// What everybody may do with a new file, as far as the user's mask allows.
const FILE_MODE: u32 = 0o666;

pub(super) enum Sink {
    /// Each piece at once.
    Stdout(Stdout),
    /// A file of its own, which takes the name of the output once it is complete.
    File {
        path: PathBuf,
        temporary: NamedTempFile,
        out: BufWriter<File>,
    },
    /// A device or a pipe: nothing can take its name.
    Device { path: PathBuf, out: File },
    /// Only its length matters.
    Nowhere,
}

impl Sink {
    pub(super) async fn open(arguments: &FetchArguments) -> Result<Self, CommandError> {
        let Some(path) = &arguments.output else {
            return Ok(match arguments.json {
                true => Self::Nowhere,
                false => Self::Stdout(tokio::io::stdout()),
            });
        };
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout(tokio::io::stdout()));
        }
        let existing = fs::metadata(path).ok();
        if existing
            .as_ref()
            .is_some_and(|existing| !existing.is_file())
        {
            let out = File::options().write(true).open(path).await;
            return Ok(Self::Device {
                out: out.map_err(|error| unwritten(path, &error))?,
                path: path.clone(),
            });
        }
        let mode = existing.map_or(FILE_MODE, |existing| existing.permissions().mode());
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".p2claw-")
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(directory)
            // Its own words name the temporary file, which nobody knows.
            .map_err(|error| unwritten(path, &error.kind().into()))?;
        let out = temporary
            .reopen()
            .map_err(|error| unwritten(path, &error))?;
        Ok(Self::File {
            path: path.clone(),
            temporary,
            out: BufWriter::with_capacity(BUFFER_BYTES, File::from_std(out)),
        })
    }

    /// `false`: nobody wants any more.
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<bool, CommandError> {
        let (written, path) = match self {
            Self::Nowhere => return Ok(true),
            Self::Stdout(out) => {
                let written = async {
                    out.write_all(data).await?;
                    out.flush().await
                };
                let written = written.await;
                let gone = written
                    .as_ref()
                    .is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
                if gone {
                    return Ok(false);
                }
                (written, Path::new("standard output"))
            }
            Self::File { path, out, .. } => (out.write_all(data).await, path.as_path()),
            Self::Device { path, out } => (out.write_all(data).await, path.as_path()),
        };
        written.map_err(|error| unwritten(path, &error))?;
        Ok(true)
    }

    /// What became of the output of a response that broke off, for people.
    pub(super) fn leftover(&self) -> String {
        match self {
            Self::File { path, .. } => format!("; {} was not written", path.display()),
            Self::Device { .. } | Self::Stdout(_) | Self::Nowhere => String::new(),
        }
    }

    /// The response is complete.
    pub(super) async fn finish(self) -> Result<(), CommandError> {
        match self {
            Self::Nowhere | Self::Stdout(_) => Ok(()),
            Self::Device { path, mut out } => {
                out.flush().await.map_err(|error| unwritten(&path, &error))
            }
            Self::File {
                path,
                temporary,
                mut out,
            } => {
                out.flush()
                    .await
                    .map_err(|error| unwritten(&path, &error))?;
                let put = temporary.persist(&path);
                put.map_err(|error| unwritten(&path, &error.error))?;
                Ok(())
            }
        }
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> CommandError {
    format!("write {}: {error}", path.display()).into()
}
