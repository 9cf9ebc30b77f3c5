//! Where the socket of a pipeline's engine lies.
//!
//! In `$XDG_RUNTIME_DIR/pgstream`, or in `/tmp/pgstream-<uid>` where there is no such directory: a
//! directory of this user that nobody else may enter. An engine takes the first that it can have; who
//! looks for it tries both, because a service and a login differ in that variable.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::{env, io};

use nix::unistd::Uid;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Pipeline;

/// Returns where consoles find the engine of a pipeline.
///
/// # Errors
/// When no directory of this user can be had.
pub fn socket(pipeline: &Pipeline) -> io::Result<PathBuf> {
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for directory in directories() {
        match prepared(&directory) {
            Ok(()) => return Ok(directory.join(file_name(pipeline))),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Returns all places where it may be.
pub(super) fn candidates(pipeline: &Pipeline) -> Vec<PathBuf> {
    let safe = directories()
        .into_iter()
        .filter(|path| is_ours(path, 0o077));
    safe.map(|path| path.join(file_name(pipeline))).collect()
}

/// The same configuration gives the same name, whoever reads it: neither a password nor anything that
/// a server says is in it.
fn file_name(pipeline: &Pipeline) -> String {
    let slot = pipeline.slot.as_ref().map(ToString::to_string);
    let identity = [
        pipeline.source.endpoint(),
        slot.unwrap_or_default(),
        pipeline.target.endpoint(),
    ];
    format!("{:016x}.sock", xxh3_64(identity.join("\n").as_bytes()))
}

fn directories() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|path| path.is_absolute() && is_ours(path, 0o022));
    let runtime = runtime.map(|path| path.join("pgstream"));
    let temporary = PathBuf::from(format!("/tmp/pgstream-{}", Uid::effective()));
    runtime.into_iter().chain([temporary]).collect()
}

/// Makes the directory when it is not there. One that others may enter, or that is another user's, is
/// not used: whoever made it could stand in our place.
fn prepared(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match is_ours(directory, 0o077) {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{} is not a directory that only this user may enter",
            directory.display()
        ))),
    }
}

/// Returns whether it is a directory of this user that gives nobody else these rights.
fn is_ours(directory: &Path, rights: u32) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| {
        found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & rights == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_may_enter_is_not_used() {
        let scratch = tempfile::TempDir::new().unwrap();
        let directory = scratch.path().join("pgstream");
        prepared(&directory).unwrap();
        prepared(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(prepared(&directory).is_err());

        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let link = scratch.path().join("link");
        symlink(&directory, &link).unwrap();
        assert!(prepared(&link).is_err(), "a link leads anywhere");
    }
}
