//! Who may read and write the files of this installation.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chela_config::Config;
use chela_host::{SecurityFinding, Severity};

use crate::context::Context;

/// Directories that programs copy to other machines.
const SYNCED: &[&str] = &["dropbox", "onedrive", "google drive", "googledrive", "icloud", "mobile documents", "clouddocs"];
/// Most credential files that are looked at.
const MOST: usize = 1000;

/// What a check says about one kind of file.
struct Kind {
    /// Begin of the check ids.
    id: &'static str,
    /// What it is, for titles.
    what: &'static str,
    /// Why others must not write it.
    written: &'static str,
    /// Why others must not read it.
    read: &'static str,
    mode: u32,
    /// Others of the group may be told apart from all others.
    by_group: bool,
}

const STATE: Kind = Kind {
    id: "fs.state_dir",
    what: "The state directory",
    written: "others could put files into it that the gateway believes",
    read: "it holds conversations and credentials",
    mode: 0o700,
    by_group: false,
};
const CONFIG: Kind = Kind {
    id: "fs.config",
    what: "The config file",
    written: "others could change who may do what",
    read: "it may hold tokens",
    mode: 0o600,
    by_group: true,
};
const INCLUDED: Kind = Kind { id: "fs.config_include", what: "An included config file", ..CONFIG };
const CREDENTIALS: Kind = Kind {
    id: "fs.credentials_dir",
    what: "The directory of credentials",
    written: "others could let themselves in",
    read: "it holds credentials and allow-lists",
    mode: 0o700,
    by_group: false,
};
const PROFILES: Kind = Kind {
    id: "fs.auth_profiles",
    what: "A file of provider credentials",
    written: "others could put in their own",
    read: "it holds keys",
    mode: 0o600,
    by_group: false,
};
const SESSIONS: Kind = Kind {
    id: "fs.sessions_store",
    what: "A list of sessions",
    written: "others could change it",
    read: "it tells of conversations",
    mode: 0o600,
    by_group: false,
};
const LOG: Kind = Kind {
    id: "fs.log_file",
    what: "The log",
    written: "others could change it",
    read: "it may tell of conversations",
    mode: 0o600,
    by_group: false,
};

/// All findings.
pub(super) fn findings(ctx: &Context, config: &Config) -> Vec<SecurityFinding> {
    let mut out = Vec::new();
    let state = &ctx.paths.state_dir;
    for path in [state, &config.path] {
        let text = path.to_string_lossy().to_lowercase();
        if SYNCED.iter().any(|name| text.contains(name)) {
            let detail = format!("`{}` looks like a directory that is copied to other machines", ctx.show(path));
            let finding = SecurityFinding::new("fs.synced_dir", Severity::Warn, "State or config may be copied elsewhere", detail);
            out.push(finding.remedy("set `OPENCLAW_STATE_DIR` to a directory that is not"));
            break;
        }
    }
    look(ctx, &STATE, state, &mut out);
    look(ctx, &CONFIG, &config.path, &mut out);
    for file in config.files.iter().filter(|file| **file != config.path) {
        look(ctx, &INCLUDED, file, &mut out);
    }
    look(ctx, &CREDENTIALS, &state.join("credentials"), &mut out);
    for agent in agents(state) {
        look(ctx, &PROFILES, &agent.join("agent/auth-profiles.json"), &mut out);
        look(ctx, &SESSIONS, &agent.join("sessions/sessions.json"), &mut out);
    }
    look(ctx, &LOG, &ctx.log_file(Some(config)), &mut out);
    out
}

fn agents(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state.join("agents")).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).take(MOST).collect();
    dirs.sort();
    dirs
}

fn look(ctx: &Context, kind: &Kind, path: &Path, out: &mut Vec<SecurityFinding>) {
    let Ok(own) = std::fs::symlink_metadata(path) else { return };
    let Ok(meta) = std::fs::metadata(path) else { return };
    let link = own.file_type().is_symlink();
    if link && matches!(kind.id, "fs.state_dir" | "fs.config") {
        let detail = format!("`{}` is a link; whoever owns its target decides", ctx.show(path));
        out.push(SecurityFinding::new(format!("{}.symlink", kind.id), Severity::Warn, format!("{} is a link", kind.what), detail));
    }
    if let Some((suffix, severity, why)) = verdict(kind, &meta, link) {
        let mode = meta.permissions().mode() & 0o777;
        let verb = if suffix.contains("writable") { "written" } else { "read" };
        let title = format!("{} can be {verb} by others", kind.what);
        let finding = SecurityFinding::new(
            format!("{}.{suffix}", kind.id),
            severity,
            title,
            format!("`{}` has mode {mode:o}: {why}", ctx.show(path)),
        );
        out.push(finding.remedy(format!("chmod {:o} {}", kind.mode, path.display())));
    }
}

/// The id's end, how bad it is, and why.
fn verdict(kind: &Kind, meta: &Metadata, link: bool) -> Option<(&'static str, Severity, &'static str)> {
    let mode = meta.permissions().mode();
    let has = |bits: u32| mode & bits != 0;
    if kind.id == STATE.id {
        return match () {
            () if has(0o002) => Some(("perms_world_writable", Severity::Critical, kind.written)),
            () if has(0o020) => Some(("perms_group_writable", Severity::Warn, kind.written)),
            () if has(0o044) => Some(("perms_readable", Severity::Warn, kind.read)),
            () => None,
        };
    }
    if has(0o022) && !matches!(kind.id, "fs.sessions_store" | "fs.log_file") {
        return Some(("perms_writable", Severity::Critical, kind.written));
    }
    if !kind.by_group {
        return has(0o044).then_some(("perms_readable", Severity::Warn, kind.read));
    }
    // The mode of a link's target is its owner's business, as long as nobody else writes it.
    match () {
        () if link => None,
        () if has(0o004) => Some(("perms_world_readable", Severity::Critical, kind.read)),
        () if has(0o040) => Some(("perms_group_readable", Severity::Warn, kind.read)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_decide() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "x").unwrap();
        let verdict_of = |kind: &Kind, mode: u32, link| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            verdict(kind, &std::fs::metadata(&file).unwrap(), link).map(|(id, severity, _)| (id, severity))
        };
        use Severity::{Critical, Warn};
        for (kind, mode, link, expected) in [
            (&STATE, 0o700, false, None),
            (&STATE, 0o755, false, Some(("perms_readable", Warn))),
            (&STATE, 0o770, false, Some(("perms_group_writable", Warn))),
            (&STATE, 0o777, false, Some(("perms_world_writable", Critical))),
            (&CONFIG, 0o600, false, None),
            (&CONFIG, 0o640, false, Some(("perms_group_readable", Warn))),
            (&CONFIG, 0o644, false, Some(("perms_world_readable", Critical))),
            (&CONFIG, 0o644, true, None),
            (&CONFIG, 0o666, true, Some(("perms_writable", Critical))),
            (&PROFILES, 0o640, false, Some(("perms_readable", Warn))),
            (&PROFILES, 0o660, false, Some(("perms_writable", Critical))),
            (&LOG, 0o664, false, Some(("perms_readable", Warn))),
        ] {
            assert_eq!(verdict_of(kind, mode, link), expected, "{} {mode:o} {link}", kind.id);
        }
    }
}
