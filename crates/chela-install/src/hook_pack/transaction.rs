//! One change of a hook pack as a whole: intent, files, config. Its files change places in one step, and from then on the change
//! counts; a removal counts from the moment the config does not name the pack.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::recorded;
use crate::error::InstallError;
use crate::fsops::{create_private_dir, exchange, remove_if_empty, remove_tree, sync_dir};
use crate::intent::{Intent, PackMove};
use crate::transaction::{Moment, Moments};
use crate::world::World;

/// Carries the change out. `staged` is the directory that comes to `target`; without one, the pack goes. Gives warnings.
pub(super) fn commit(
    world: &World,
    moments: &dyn Moments,
    mut intent: Intent,
    target: &Path,
    staged: Option<&Path>,
) -> Result<Vec<String>, InstallError> {
    // Refused here, nothing has changed yet.
    world.try_config(&intent)?;
    let inode = staged.map(|dir| fs_err::metadata(dir).map(|stat| stat.ino())).transpose()?;
    intent.pack = Some(PackMove { target: target.to_owned(), inode });
    let (parent, replaces) = (target.parent().unwrap_or(target), target.symlink_metadata().is_ok());
    let parent_was_there = parent.exists();
    let (mut noted, mut moved) = (false, false);
    let run = (|| {
        moments.before(Moment::Intent)?;
        noted = true;
        intent.write(&world.layout)?;
        if let Some(dir) = staged {
            moments.before(Moment::Switch)?;
            create_private_dir(parent)?;
            put(dir, target, replaces)?;
            moved = true;
            sync_dir(Some(parent));
        }
        moments.before(Moment::Config)?;
        world.write_config(&intent)
    })();
    match run {
        Ok(written) => {
            let mut warnings = written.warnings;
            warnings.extend(finish(world, moments, &intent));
            Ok(warnings)
        }
        Err(first) => {
            let back = (|| {
                if let Some(dir) = staged.filter(|_| moved) {
                    put(target, dir, replaces)?;
                }
                if !parent_was_there {
                    remove_if_empty(parent);
                }
                if noted { Intent::remove(&world.layout) } else { Ok(()) }
            })();
            Err(match back {
                Ok(()) => first,
                Err(second) => InstallError::HalfUndone { first: Box::new(first), second: Box::new(second) },
            })
        }
    }
}

fn put(from: &Path, to: &Path, replaces: bool) -> Result<(), InstallError> {
    if replaces {
        exchange(from, to)?
    } else {
        fs_err::rename(from, to)?
    }
    Ok(())
}

/// What follows a change that counts; nothing here can undo it, so failures are warnings.
fn finish(world: &World, moments: &dyn Moments, intent: &Intent) -> Vec<String> {
    let mut warnings = Vec::new();
    let cleaned = moments.before(Moment::Clean).map_err(InstallError::from).and_then(|()| clean(intent));
    if let Err(error) = cleaned {
        warnings.push(format!("old files could not be removed: {error}"));
    }
    let crossed = moments.before(Moment::Done).map_err(InstallError::from).and_then(|()| Intent::remove(&world.layout));
    if let Err(error) = crossed {
        warnings.push(format!("the change is done, but its note stays until the next one: {error}"));
    }
    warnings
}

/// Files that were replaced lie in the stage, which is swept; those of a pack that goes are still in place.
fn clean(intent: &Intent) -> Result<(), InstallError> {
    let Some(PackMove { target, inode: None }) = &intent.pack else { return Ok(()) };
    // A removal that keeps the files names no leftover.
    if intent.leftovers.is_empty() {
        return Ok(());
    }
    remove_tree(target)?;
    if let Some(parent) = target.parent() {
        remove_if_empty(parent);
    }
    Ok(())
}

/// Settles a change that an ended process left. The lock must be held. Gives what was done.
pub(crate) fn recover(world: &World, intent: &Intent) -> Result<String, InstallError> {
    let Some(PackMove { target, inode }) = &intent.pack else { return Ok(String::new()) };
    let counts = match inode {
        Some(inode) => fs_err::metadata(target).is_ok_and(|stat| stat.ino() == *inode),
        None => !recorded(&world.config()?).contains_key(&intent.plugin),
    };
    if !counts {
        Intent::remove(&world.layout)?;
        return Ok(format!("took back an interrupted change of hook pack \"{}\"", intent.plugin));
    }
    world.try_config(intent)?;
    world.write_config(intent)?;
    clean(intent)?;
    Intent::remove(&world.layout)?;
    Ok(format!("finished an interrupted change of hook pack \"{}\"", intent.plugin))
}
