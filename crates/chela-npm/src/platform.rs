//! Which machine packages are chosen for: `os`, `cpu` and `libc` of package.json.

use std::fmt;
use std::path::Path;

use crate::packument::Manifest;

/// A platform in Node's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `darwin`, ...
    pub os: String,
    /// `x64`, `arm64`, ...
    pub cpu: String,
    /// `glibc` or `musl`, on Linux when it is known.
    pub libc: Option<String>,
}

impl Platform {
    /// This machine. The C library is the one of the system, since it is Node's and not ours that counts.
    pub fn current() -> Self {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            "windows" => "win32",
            os => os,
        };
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "x86" => "ia32",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64",
            arch => arch,
        };
        let libc = (os == "linux").then(|| system_libc().to_owned());
        Self { os: os.into(), cpu: cpu.into(), libc }
    }

    /// `None` when the package runs here, else what it asks for.
    pub fn refuses(&self, manifest: &Manifest) -> Option<String> {
        let libc_fits = match (&self.libc, manifest.libc.is_empty()) {
            (_, true) => true,
            (Some(libc), false) => fits(libc, &manifest.libc),
            // As npm: a package that names a C library is for Linux.
            (None, false) => false,
        };
        if fits(&self.os, &manifest.os) && fits(&self.cpu, &manifest.cpu) && libc_fits {
            return None;
        }
        let part = |name: &str, list: &[String]| (!list.is_empty()).then(|| format!("{name} {}", list.join(", ")));
        let parts = [part("os", &manifest.os), part("cpu", &manifest.cpu), part("libc", &manifest.libc)];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.os, self.cpu)?;
        self.libc.as_ref().map_or(Ok(()), |libc| write!(f, " {libc}"))
    }
}

/// npm's rule: a `!` entry excludes; if there are other entries, one of them must match.
fn fits(value: &str, list: &[String]) -> bool {
    if list.is_empty() || list == ["any"] {
        return true;
    }
    let excluded = list.iter().any(|entry| entry.strip_prefix('!') == Some(value));
    let only_exclusions = list.iter().all(|entry| entry.starts_with('!'));
    !excluded && (only_exclusions || list.iter().any(|entry| entry == value))
}

/// Tells musl from glibc by the script or program `ldd`, and without it by the loader.
fn system_libc() -> &'static str {
    if let Ok(ldd) = fs_err::read("/usr/bin/ldd") {
        let has = |needle: &[u8]| ldd.windows(needle.len()).any(|window| window == needle);
        if has(b"musl") {
            return "musl";
        }
        if has(b"GNU C Library") || has(b"GNU libc") {
            return "glibc";
        }
    }
    let musl = ["x86_64", "aarch64", "armhf", "i386"].iter().any(|arch| Path::new(&format!("/lib/ld-musl-{arch}.so.1")).exists());
    if musl { "musl" } else { "glibc" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms() {
        let here = Platform { os: "linux".into(), cpu: "x64".into(), libc: Some("glibc".into()) };
        let list = |text: &str| text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let cases = [
            ("", "", "", true),
            ("linux darwin", "", "", true),
            ("darwin", "", "", false),
            ("!win32", "", "", true),
            ("!linux", "", "", false),
            ("any", "x64", "", true),
            ("linux", "arm64", "", false),
            ("linux", "x64", "musl", false),
            ("linux", "x64", "glibc", true),
        ];
        for (os, cpu, libc, runs) in cases {
            let manifest = Manifest { os: list(os), cpu: list(cpu), libc: list(libc), ..Manifest::default() };
            assert_eq!(here.refuses(&manifest).is_none(), runs, "{os} {cpu} {libc}");
        }
        let windows = Platform { os: "win32".into(), cpu: "x64".into(), libc: None };
        assert!(windows.refuses(&Manifest { libc: list("glibc"), ..Manifest::default() }).is_some());
    }
}
