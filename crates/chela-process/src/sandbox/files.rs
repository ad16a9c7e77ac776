//! Files: a Landlock ruleset.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope,
};

use super::{FileRules, NetworkRule};

/// The newest interface whose rights are asked for; an older kernel confines what it can.
const NEWEST: ABI = ABI::V6;

/// Opens all paths. Those that do not exist or cannot be reached are left out: a right to nothing.
///
/// # Errors
/// When the kernel refuses a rule.
pub(super) fn ruleset(rules: &FileRules, network: NetworkRule) -> Result<RulesetCreated, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?.scope(Scope::Signal)?;
    // Services of the desktop listen on abstract sockets, which lie in no directory.
    if network != NetworkRule::Any {
        ruleset = ruleset.scope(Scope::AbstractUnixSocket)?;
    }
    let mut created = ruleset.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let granted = [(&rules.read, read), (&rules.write, all & !AccessFs::Execute), (&rules.execute, AccessFs::Execute.into())];
    for (paths, rights) in granted {
        for path in paths {
            created = add(created, path, rights)?;
        }
    }
    Ok(created)
}

/// Adds the entry of the calling process in `/proc`, which has no name before there is the process.
pub(super) fn with_own_entry(created: RulesetCreated) -> Result<RulesetCreated, RulesetError> {
    add(created, Path::new("/proc/self"), AccessFs::ReadFile | AccessFs::ReadDir)
}

fn add(created: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let fd = match PathFd::new(path) {
        Ok(fd) => fd,
        Err(PathFdError::OpenCall { .. }) => return Ok(created),
        #[allow(unreachable_patterns, reason = "the error can grow variants")]
        Err(_) => return Ok(created),
    };
    // Rights of directories are refused for files.
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(NEWEST) };
    created.add_rule(PathBeneath::new(fd, rights))
}
