//! `chela logs`: the end of the gateway's log, from the file of this machine or through the gateway of another.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use chela_config::{Config, GatewayMode};
use serde_json::{Value, json};

use crate::cli::LogsArgs;
use crate::client::{self, Purpose, Target};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::{Failure, note};

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Tail {
    file: String,
    lines: Vec<String>,
    cursor: u64,
    size: u64,
    truncated: bool,
    reset: bool,
}

/// Where lines come from.
enum Source {
    File(std::path::PathBuf),
    Gateway(Box<Target>),
}

/// Prints lines, with `--follow` until the reader goes.
///
/// # Errors
/// A log that cannot be read; a gateway that does not answer.
pub fn run(ctx: &Context, args: &LogsArgs) -> Result<(), Failure> {
    let (config, _) = ctx.config_lenient()?;
    let source = source(ctx, &config, args)?;
    let mut cursor = None;
    loop {
        let tail = read(ctx, &source, args, cursor)?;
        show(args, &tail, cursor.is_none())?;
        cursor = Some(tail.cursor);
        if !args.follow {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(args.interval.max(10)));
    }
}

fn source(ctx: &Context, config: &Config, args: &LogsArgs) -> Result<Source, Failure> {
    let elsewhere = args.target.url.is_some()
        || config.env.non_empty("OPENCLAW_GATEWAY_URL").is_some()
        || config.gateway().mode == Some(GatewayMode::Remote);
    Ok(match elsewhere {
        true => Source::Gateway(Box::new(client::target(ctx, config, &args.target)?)),
        false => Source::File(ctx.log_file(Some(config))),
    })
}

fn read(ctx: &Context, source: &Source, args: &LogsArgs, cursor: Option<u64>) -> Result<Tail, Failure> {
    match source {
        Source::File(file) => tail(file, cursor, args.limit, args.max_bytes)
            .map_err(|error| Failure::new(format!("cannot read the log `{}`", file.display())).cause(error.to_string())),
        Source::Gateway(target) => {
            let mut params = json!({"limit": args.limit, "maxBytes": args.max_bytes});
            if let Some(cursor) = cursor {
                params["cursor"] = cursor.into();
            }
            let limit = Duration::from_millis(args.timeout);
            let answer = block_on(async { Ok(client::call(ctx, target, Purpose::Probe, "logs.tail", params, limit).await?) })?;
            let number = |key: &str| answer[key].as_u64().unwrap_or(0);
            Ok(Tail {
                file: answer["file"].as_str().unwrap_or_default().to_owned(),
                lines: answer["lines"].as_array().into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
                cursor: number("cursor"),
                size: number("size"),
                truncated: answer["truncated"] == Value::Bool(true),
                reset: answer["reset"] == Value::Bool(true),
            })
        }
    }
}

/// The newest lines, or those behind `cursor`. A file that shrank was rotated: it is read from its beginning. A line that is not
/// finished stays for the next look.
fn tail(file: &Path, cursor: Option<u64>, limit: usize, max_bytes: u64) -> std::io::Result<Tail> {
    let name = file.display().to_string();
    let mut handle = match std::fs::File::open(file) {
        Ok(handle) => handle,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Tail { file: name, ..Tail::default() }),
        Err(error) => return Err(error),
    };
    let size = handle.metadata()?.len();
    let reset = cursor.is_some_and(|cursor| cursor > size);
    let wanted = cursor.filter(|_| !reset).unwrap_or(0);
    let start = wanted.max(size.saturating_sub(max_bytes));
    handle.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    handle.take(max_bytes).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if start > wanted && !lines.is_empty() {
        lines.remove(0);
    }
    let skip = lines.len().saturating_sub(limit);
    Ok(Tail { file: name, lines: lines.split_off(skip), cursor: start + whole as u64, size, truncated: start > wanted || skip > 0, reset })
}

fn show(args: &LogsArgs, tail: &Tail, first: bool) -> Result<(), Failure> {
    let mut out = String::new();
    if args.json && first {
        out.push_str(&format!("{}\n", json!({"type": "meta", "file": tail.file, "cursor": tail.cursor, "size": tail.size})));
    }
    if args.json && (tail.truncated || tail.reset) {
        let message = if tail.reset { "the log was rotated" } else { "older lines are left out" };
        out.push_str(&format!("{}\n", json!({"type": "notice", "message": message})));
    }
    for line in &tail.lines {
        let entry = entry(line);
        out.push_str(&match args.json {
            true => format!("{entry}\n"),
            false => plain(&entry, args.local_time),
        });
    }
    if out.is_empty() {
        if first && !args.json {
            note(&format!("no log at `{}` yet; it begins with `chela gateway run`", tail.file));
        }
        return Ok(());
    }
    output::text(&out)
}

/// One line as `{type, time, level, subsystem?, message, raw}`; a line that is not ours as `{type: "raw", raw}`.
fn entry(line: &str) -> Value {
    let parsed: Option<Value> = serde_json::from_str(line).ok().filter(Value::is_object);
    let Some(parsed) = parsed else { return json!({"type": "raw", "raw": line}) };
    let text = |keys: &[&str]| keys.iter().find_map(|key| parsed[*key].as_str()).map(str::to_owned);
    let mut out = json!({"type": "log"});
    out["time"] = text(&["timestamp", "time"]).into();
    out["level"] = text(&["level"]).map(|level| level.to_lowercase()).into();
    if let Some(target) = text(&["target", "subsystem"]) {
        out["subsystem"] = target.into();
    }
    out["message"] = text(&["message"]).unwrap_or_default().into();
    out["raw"] = line.into();
    out
}

fn plain(entry: &Value, local: bool) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    if entry["type"] == "raw" {
        return format!("{}\n", text("raw"));
    }
    let time = match text("time").parse::<jiff::Timestamp>() {
        Ok(time) if local => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Ok(time) => format!("{time:.3}"),
        Err(_) => text("time").to_owned(),
    };
    let parsed: Value = serde_json::from_str(text("raw")).unwrap_or(Value::Null);
    let known = ["timestamp", "time", "level", "target", "subsystem", "message"];
    let fields = parsed.as_object().into_iter().flatten().filter(|(key, value)| {
        let plain = key.starts_with(|first: char| first.is_ascii_alphabetic());
        plain && !value.is_object() && !known.contains(&key.as_str())
    });
    let fields: String =
        fields.map(|(key, value)| format!(" {key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect();
    format!("{time} {:<5} {} {}{fields}\n", text("level"), text("subsystem"), text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn following_gives_each_line_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gateway.jsonl");
        assert_eq!(tail(&file, None, 10, 1000).unwrap().lines, Vec::<String>::new());
        std::fs::write(&file, "one\ntwo\nthr").unwrap();
        let first = tail(&file, None, 10, 1000).unwrap();
        assert_eq!((first.lines.clone(), first.cursor, first.truncated), (vec!["one".to_owned(), "two".to_owned()], 8, false));
        std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
        let next = tail(&file, Some(first.cursor), 10, 1000).unwrap();
        assert_eq!(next.lines, ["three"]);
        std::fs::write(&file, "new\n").unwrap();
        let rotated = tail(&file, Some(next.cursor), 10, 1000).unwrap();
        assert_eq!((rotated.lines.clone(), rotated.reset), (vec!["new".to_owned()], true));
        std::fs::write(&file, "1\n2\n3\n4\n").unwrap();
        assert_eq!(tail(&file, None, 2, 1000).unwrap().lines, ["3", "4"]);
        let cut = tail(&file, None, 10, 5).unwrap();
        assert_eq!((cut.lines.clone(), cut.truncated), (vec!["3".to_owned(), "4".to_owned()], true));
    }

    #[test]
    fn lines_of_both_kinds_are_shown() {
        let line = r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"WARN","message":"slow","plugin":"p","ms":7,"target":"plugins"}"#;
        let shown = entry(line);
        assert_eq!(
            (shown["type"].as_str(), shown["level"].as_str(), shown["subsystem"].as_str()),
            (Some("log"), Some("warn"), Some("plugins"))
        );
        assert_eq!(plain(&shown, false), "2026-01-02T03:04:05.678Z warn  plugins slow plugin=p ms=7\n");
        assert_eq!(plain(&entry("not json"), false), "not json\n");
    }
}
