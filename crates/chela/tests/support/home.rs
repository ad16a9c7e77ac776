//! A home directory of its own for each test, and the binary run in it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test ends the test")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// A manifest with a tool and a config.
pub const PLUGIN: &str = r#"{"id": "alpha", "name": "Alpha plugin", "description": "For tests.", "version": "1.2.3",
  "contracts": {"tools": ["alpha_tool"]},
  "configSchema": {"type": "object", "additionalProperties": false, "properties": {"level": {"type": "integer"}}}}"#;

/// What a run gave.
pub struct Out {
    /// Exit code.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// A home directory.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("state")).unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir }
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Makes the state directory private, as the program itself does.
    pub fn private(&self) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.state(), std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// A path in the home directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the config.
    pub fn config(&self, text: &str) {
        std::fs::write(self.state().join("openclaw.json"), text).unwrap();
    }

    /// Reads the config.
    pub fn read_config(&self) -> String {
        std::fs::read_to_string(self.state().join("openclaw.json")).unwrap()
    }

    /// A plugin with this manifest.
    pub fn plugin(&self, name: &str, manifest: &str) {
        let dir = self.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("openclaw.plugin.json"), manifest).unwrap();
        std::fs::write(dir.join("index.js"), "export default { register() {} };").unwrap();
    }

    /// Runs the binary with nothing of this process's environment.
    pub fn run(&self, args: &[&str]) -> Out {
        self.run_with(&[], args)
    }

    /// As [`Self::run`], with these variables.
    pub fn run_with(&self, vars: &[(&str, &str)], args: &[&str]) -> Out {
        let out = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(args)
            .env_clear()
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("OPENCLAW_STATE_DIR", self.state())
            .env("OPENCLAW_GATEWAY_PORT", "9")
            .env("COLUMNS", "100")
            .envs(vars.iter().copied())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Out { code: out.status.code().unwrap(), stdout: text(out.stdout), stderr: text(out.stderr) }
    }

    /// The stdout of a run that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert_eq!(out.code, 0, "{args:?}: {}", out.stderr);
        out.stdout
    }

    /// As [`Self::ok`], without what differs between runs.
    pub fn text(&self, args: &[&str]) -> String {
        let out = self.ok(args);
        self.filtered(&out)
    }

    /// The stderr of a run that must fail with exit code 1, without what differs between runs.
    pub fn fails(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{args:?}");
        self.filtered(&out.stderr)
    }

    /// A JSON document and nothing else.
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// The home directory as `[home]`; versions of our own plugins as `[version]`.
    pub fn filtered(&self, text: &str) -> String {
        text.replace(self.dir.path().to_str().unwrap(), "[home]")
    }
}
