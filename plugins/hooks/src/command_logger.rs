//! `command-logger`: one JSON line in `<state>/logs/commands.log` for each command event.

use std::io::Write;
use std::path::{Path, PathBuf};

use chela_plugin::builtin::PluginApi;
use serde_json::{Value, json};

pub(crate) const NAME: &str = "command-logger";

pub(crate) fn handler(api: &mut PluginApi) -> Value {
    let path = api.spec().state_dir.join("logs/commands.log");
    api.function(move |call| {
        let (path, event) = (path.clone(), call.args.into_iter().next().unwrap_or_default());
        async move {
            crate::blocking(move || append(&path, &line(&event))).await?;
            Ok(Value::Null)
        }
    })
}

/// The line of an event, as the reference writes it.
fn line(event: &Value) -> String {
    let from = |key: &str| event["context"].get(key).filter(|value| value.is_string()).cloned().unwrap_or_else(|| "unknown".into());
    let row = json!({
        "timestamp": event["timestamp"]["$date"], "action": event["action"], "sessionKey": event["sessionKey"],
        "senderId": from("senderId"), "source": from("commandSource"),
    });
    format!("{row}\n")
}

/// One write, so that lines of two processes do not mix. The file is for the operator alone, and never somebody's link.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let dir: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    fs_err::create_dir_all(&dir)?;
    if path.symlink_metadata().is_ok_and(|stat| !stat.is_file()) {
        return Err(std::io::Error::other(format!("`{}` is no ordinary file", path.display())));
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn lines_are_added_and_links_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/commands.log");
        let event = json!({
            "type": "command", "action": "new", "sessionKey": "agent:main:main", "timestamp": {"$date": "2026-01-02T03:04:05.678Z"},
            "context": {"senderId": "u1", "commandSource": 7},
        });
        append(&path, &line(&event)).unwrap();
        append(&path, &line(&event)).unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        let expected = "{\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"action\":\"new\",\"sessionKey\":\"agent:main:main\",\
                        \"senderId\":\"u1\",\"source\":\"unknown\"}\n";
        assert_eq!(text, expected.repeat(2));
        fs_err::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(append(&path, "x").is_err() && !dir.path().join("elsewhere").exists());
    }
}
