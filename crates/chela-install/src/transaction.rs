//! One change as a whole: intent, place, switch, index, config. A failure takes everything back; an end of the process is settled by
//! [`recover`] (INS-090, INS-144, INS-145, INS-344).

use std::path::{Path, PathBuf};

use chela_catalog::installs::IndexRecords;
use chela_config::Config;

use crate::error::InstallError;
use crate::fsops::{
    create_private_dir, link_target, remove_if_empty, remove_if_there, remove_tree, replace_file, sweep_siblings, switch_link, sync_dir,
};
use crate::intent::{Intent, Operation, Switch};
use crate::layout::Layout;
use crate::legacy;
use crate::origin::Origin;
use crate::world::{World, with_record};

/// The pointer to the version in use.
pub(crate) const CURRENT: &str = "current";
/// The pointer to the version before it.
pub(crate) const PREVIOUS: &str = "previous";

/// The moments of a change, each just before it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The pending change is written down.
    Intent,
    /// The new version directory gets its name.
    Place,
    /// `current` is switched: from here on the change counts.
    Switch,
    /// The index is written.
    Index,
    /// The config is written.
    Config,
    /// Old versions and leftovers go.
    Clean,
    /// The pending change is crossed out.
    Done,
}

impl Moment {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [Self::Intent, Self::Place, Self::Switch, Self::Index, Self::Config, Self::Clean, Self::Done];
}

/// Is told of each moment before it happens; an error makes the change fail there.
pub trait Moments: Send + Sync {
    /// `moment` is about to happen.
    ///
    /// # Errors
    /// To make the change fail.
    fn before(&self, moment: Moment) -> std::io::Result<()>;
}

/// Lets everything happen.
#[derive(Debug, Default, Clone, Copy)]
pub struct Undisturbed;

impl Moments for Undisturbed {
    fn before(&self, _moment: Moment) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Committed {
    pub warnings: Vec<String>,
    /// What the change says about the config.
    pub notices: Vec<String>,
}

/// Carries the change out. `staged` is what becomes the version directory that the intent switches to.
pub(crate) fn commit(
    world: &World,
    moments: &dyn Moments,
    intent: &Intent,
    records: &IndexRecords,
    staged: Option<&Path>,
) -> Result<Committed, InstallError> {
    // Refused here, nothing has changed yet.
    let prospect = world.try_config(intent)?;
    let next = with_record(records, &intent.plugin, intent.after.as_ref());
    let mut undo = Undo::new(world, intent)?;
    let run = (|| {
        moments.before(Moment::Intent)?;
        undo.intent = true;
        if intent.operation == Operation::Install {
            Origin::note(&world.layout, &world.paths.config_path, &prospect.files, records)?;
        }
        intent.write(&world.layout)?;
        if let (Some(staged), Some(dir)) = (staged, intent.new_dir(&world.layout)) {
            moments.before(Moment::Place)?;
            undo.placed = Some(dir.clone());
            create_private_dir(&world.layout.plugin(&intent.key))?;
            fs_err::rename(staged, &dir)?;
            sync_dir(dir.parent());
        }
        if let Some(switch) = &intent.switch {
            moments.before(Moment::Switch)?;
            undo.switched = Some(switch.clone());
            switch_link(&intent.current(&world.layout), switch.to.as_deref())?;
        }
        moments.before(Moment::Index)?;
        undo.index = true;
        world.put_index(intent, &prospect.config, &next)?;
        moments.before(Moment::Config)?;
        world.write_config(intent)
    })();
    match run {
        Err(error) => Err(undo.roll_back(error)),
        Ok(written) => {
            let mut warnings = written.warnings;
            // Somebody changed the config between the look at it and the write: the index follows (INS-109).
            if !same_settings(&written.config, &prospect.config)
                && let Err(error) = world.put_index(intent, &written.config, &next)
            {
                warnings.push(format!("plugin index refresh failed: {error}"));
            }
            warnings.extend(finish(world, moments, intent, &next));
            Ok(Committed { warnings, notices: prospect.warnings })
        }
    }
}

/// The time of the write, which the config notes in `meta`, is no difference.
fn same_settings(left: &Config, right: &Config) -> bool {
    let keys = |config: &Config| config.effective.as_object().map_or(0, |map| map.keys().filter(|key| *key != "meta").count());
    let inside = |key: &String| key == "meta" || left.effective.get(key) == right.effective.get(key);
    keys(left) == keys(right) && left.effective.as_object().is_some_and(|map| map.keys().all(inside))
}

/// What follows a change that counts; nothing here can undo it, so failures are warnings.
fn finish(world: &World, moments: &dyn Moments, intent: &Intent, records: &IndexRecords) -> Vec<String> {
    let mut warnings = Vec::new();
    let cleaned = moments.before(Moment::Clean).map_err(InstallError::from).and_then(|()| clean(world, intent));
    if let Err(error) = cleaned {
        warnings.push(format!("old files could not be removed: {error}"));
    }
    let crossed = moments.before(Moment::Done).map_err(InstallError::from).and_then(|()| {
        Intent::remove(&world.layout)?;
        Origin::settle(&world.layout, records)
    });
    if let Err(error) = crossed {
        warnings.push(format!("the change is done, but its note stays until the next one: {error}"));
    }
    warnings
}

fn clean(world: &World, intent: &Intent) -> Result<(), InstallError> {
    for leftover in &intent.leftovers {
        legacy::remove(leftover)?;
    }
    let dir = world.layout.plugin(&intent.key);
    match &intent.switch {
        None => {}
        Some(Switch { to: None, .. }) => remove_tree(&dir)?,
        Some(Switch { from, to: Some(to) }) => {
            let former = from.as_deref().filter(|from| *from != to && dir.join(from).is_dir());
            if former.is_some() {
                switch_link(&dir.join(PREVIOUS), former)?;
            }
            sweep_versions(&dir)?;
        }
    }
    Ok(())
}

/// Removes what neither pointer names, and a plugin directory without a version.
fn sweep_versions(dir: &Path) -> Result<(), InstallError> {
    let kept: Vec<String> = [CURRENT, PREVIOUS].iter().filter_map(|link| link_target(&dir.join(link))).collect();
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != CURRENT && name != PREVIOUS && !kept.contains(&name) {
            remove_tree(&entry.path())?;
        }
    }
    if kept.is_empty() {
        remove_if_empty(dir);
    }
    Ok(())
}

impl Intent {
    fn current(&self, layout: &Layout) -> PathBuf {
        layout.plugin(&self.key).join(CURRENT)
    }

    /// The version directory that this change brings, if it brings one.
    fn new_dir(&self, layout: &Layout) -> Option<PathBuf> {
        let to = self.switch.as_ref()?.to.as_ref()?;
        Some(layout.plugin(&self.key).join(to))
    }

    /// True when the change counts already.
    fn counts(&self, layout: &Layout, records: &IndexRecords) -> bool {
        match &self.switch {
            Some(switch) => link_target(&self.current(layout)) == switch.to,
            None => records.get(&self.plugin).map(|record| &record.fields) == self.after.as_ref(),
        }
    }
}

/// What has to be taken back, in the order of taking.
struct Undo<'a> {
    world: &'a World,
    intent_of: &'a Intent,
    old_index: Option<Vec<u8>>,
    old_origin: Option<Vec<u8>>,
    index_dir_was_there: bool,
    plugin_dir_was_there: bool,
    intent: bool,
    placed: Option<PathBuf>,
    switched: Option<Switch>,
    index: bool,
}

impl<'a> Undo<'a> {
    fn new(world: &'a World, intent: &'a Intent) -> Result<Self, InstallError> {
        let bytes_of = |path: &Path| match fs_err::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        Ok(Self {
            world,
            intent_of: intent,
            old_index: bytes_of(&world.layout.index())?,
            old_origin: bytes_of(&world.layout.origin())?,
            index_dir_was_there: world.layout.index().parent().is_some_and(Path::exists),
            plugin_dir_was_there: world.layout.plugin(&intent.key).exists(),
            intent: false,
            placed: None,
            switched: None,
            index: false,
        })
    }

    fn roll_back(self, first: InstallError) -> InstallError {
        match self.take_back() {
            Ok(()) => first,
            Err(second) => InstallError::HalfUndone { first: Box::new(first), second: Box::new(second) },
        }
    }

    fn take_back(&self) -> Result<(), InstallError> {
        let layout = &self.world.layout;
        if self.index {
            let path = layout.index();
            if let (Some(dir), true) = (path.parent(), self.old_index.is_some()) {
                create_private_dir(dir)?;
            }
            put_back(&path, self.old_index.as_deref())?;
            if let Some(dir) = path.parent().filter(|_| !self.index_dir_was_there) {
                remove_if_empty(dir);
            }
        }
        if let Some(switch) = &self.switched {
            switch_link(&self.intent_of.current(layout), switch.from.as_deref())?;
        }
        if let Some(dir) = &self.placed {
            remove_tree(dir)?;
            if !self.plugin_dir_was_there {
                remove_if_empty(&layout.plugin(&self.intent_of.key));
            }
        }
        if self.intent {
            put_back(&layout.origin(), self.old_origin.as_deref())?;
            Intent::remove(layout)?;
        }
        Ok(())
    }
}

fn put_back(path: &Path, bytes: Option<&[u8]>) -> std::io::Result<()> {
    match bytes {
        Some(bytes) => replace_file(path, bytes),
        None => remove_if_there(path),
    }
}

/// Settles what an ended process left: a change that counts is finished, any other is taken back. The lock must be held.
/// Gives a line for each thing done.
pub(crate) fn recover(world: &World) -> Result<Vec<String>, InstallError> {
    let mut done = Vec::new();
    let pending = Intent::read(&world.layout)?;
    if let Some(intent) = pending.as_ref().filter(|intent| intent.pack.is_some()) {
        done.push(crate::hook_pack::transaction::recover(world, intent)?);
    } else if let Some(intent) = pending {
        let config = world.config()?;
        let records = world.records(&config);
        if intent.counts(&world.layout, &records) {
            let next = with_record(&records, &intent.plugin, intent.after.as_ref());
            let prospect = world.try_config(&intent)?;
            world.put_index(&intent, &prospect.config, &next)?;
            world.write_config(&intent)?;
            done.push(format!("finished an interrupted change of plugin \"{}\"", intent.plugin));
            done.extend(finish(world, &Undisturbed, &intent, &next));
        } else {
            let brought = intent.switch.as_ref().is_some_and(|switch| switch.from != switch.to);
            if let Some(dir) = intent.new_dir(&world.layout).filter(|dir| brought && !is_kept(dir)) {
                remove_tree(&dir)?;
            }
            done.push(format!("took back an interrupted change of plugin \"{}\"", intent.plugin));
            Intent::remove(&world.layout)?;
            Origin::settle(&world.layout, &records)?;
        }
    } else if world.layout.origin().exists() {
        Origin::settle(&world.layout, &world.records(&world.config()?))?;
    }
    for file in [world.layout.intent(), world.layout.origin(), world.layout.index()] {
        sweep_siblings(&file)?;
    }
    crate::stage::sweep(&world.layout)?;
    sweep_orphans(&world.layout)?;
    Ok(done)
}

/// A version that a pointer names stays: a rollback's target is no new directory.
fn is_kept(dir: &Path) -> bool {
    let Some((parent, name)) = dir.parent().zip(dir.file_name()) else {
        return false;
    };
    let name = name.to_string_lossy();
    [CURRENT, PREVIOUS].iter().any(|link| link_target(&parent.join(link)).as_deref() == Some(&*name))
}

fn sweep_orphans(layout: &Layout) -> Result<(), InstallError> {
    for entry in fs_err::read_dir(layout.packages())? {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !hidden {
            sweep_versions(&entry.path())?;
        }
    }
    Ok(())
}
