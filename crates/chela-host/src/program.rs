//! `openclaw` as plugins call it: many run the command line by that name. A link of that name to this program stands at the end of
//! their `PATH`, so that an OpenClaw that is installed goes first.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use chela_config::Env;

/// The name that plugins know.
const NAME: &str = "openclaw";

/// Adds the directory with the link to `PATH`. Where the link cannot be made, plugins find no such program, as before.
pub(crate) fn offer(env: &mut Env, cache: &Path) {
    let Ok(program) = std::env::current_exe() else { return };
    let bin = cache.join("bin");
    if let Err(error) = link(&bin, &program) {
        return tracing::debug!("plugins find no program `{NAME}`: {error}");
    }
    let known = env.get("PATH").unwrap_or_default().to_owned();
    let own = bin.to_string_lossy();
    if !known.split(':').any(|part| part == own) {
        let path = if known.is_empty() { own.into_owned() } else { format!("{known}:{own}") };
        env.set("PATH", path);
    }
}

/// Makes the link, in one step where it pointed elsewhere.
fn link(bin: &Path, program: &Path) -> io::Result<()> {
    let place = bin.join(NAME);
    if fs_err::read_link(&place).is_ok_and(|target| target == program) {
        return Ok(());
    }
    fs_err::create_dir_all(bin)?;
    let aside = bin.join(format!(".{NAME}-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()));
    symlink(program, &aside)?;
    fs_err::rename(&aside, &place).inspect_err(|_| _ = fs_err::remove_file(&aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_follows_the_program_and_comes_last() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        for program in ["/one/chela", "/two/chela", "/two/chela"] {
            link(&bin, Path::new(program)).unwrap();
            assert_eq!(fs_err::read_link(bin.join(NAME)).unwrap(), Path::new(program));
        }
        assert_eq!(fs_err::read_dir(&bin).unwrap().count(), 1, "nothing is left aside");
        let mut env = Env::from_iter([("PATH", "/usr/bin:/bin")]);
        offer(&mut env, dir.path());
        offer(&mut env, dir.path());
        assert_eq!(env.get("PATH").unwrap(), format!("/usr/bin:/bin:{}", bin.display()));
    }
}
