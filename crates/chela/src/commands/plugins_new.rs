//! `chela plugins new`.

use chela_kit::template::{self, Kind, Language};
use serde_json::json;

use crate::cli::plugins::{NewArgs, PluginKind};
use crate::output;
use crate::report::Failure;

/// Makes a plugin and says what to do with it.
///
/// # Errors
/// A name that is none, a directory that has something in it; nothing is written then.
pub fn run(args: &NewArgs) -> Result<(), Failure> {
    let kind = match args.kind {
        PluginKind::Tool => Kind::Tool,
        PluginKind::Hook => Kind::Hook,
        PluginKind::Channel => Kind::Channel,
        PluginKind::Provider => Kind::Provider,
    };
    let language = if args.javascript { Language::JavaScript } else { Language::TypeScript };
    let here = std::env::current_dir().map_err(|error| Failure::new("the current directory cannot be read").cause(error.to_string()))?;
    let made = template::create(&args.name, kind, language, &here, args.dir.as_deref()).map_err(super::sdk::failed)?;
    let shown = made.dir.strip_prefix(&here).unwrap_or(&made.dir).display().to_string();
    if args.json {
        return output::json(&json!({"id": made.id, "kind": kind.as_str(), "dir": made.dir, "files": made.files}));
    }
    let files = made.files.iter().map(|file| format!("  {shown}/{file}\n")).collect::<String>();
    output::text(&format!(
        "Made the {kind} plugin `{}`\n{files}\nNext:\n  chela plugins test {shown}\n  chela plugins dev {shown}\n  chela plugins install --link {shown}\n",
        made.id
    ))
}
