//! `chela config`: reading and editing the file. All of it works while the file is invalid, as far as that can be.

use std::collections::BTreeMap;

use chela_config::{Edit, WriteOptions, format_path, get_path, parse_path, published_schema, redact, validate_file};
use serde_json::{Value, json};

use crate::cli::config::{ConfigArgs, ConfigCommand, GetArgs, UnsetArgs};
use crate::context::Context;
use crate::output;
use crate::report::{Failure, note, warn};

const BUILT: [&str; 6] = ["get", "set", "unset", "validate", "file", "schema"];
const NOT_BUILT: &[(&str, &str)] = &[("patch", "set several values at once with `chela config set --batch-file PATH`")];

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(ctx: &Context, args: ConfigArgs) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Get(args) => get(ctx, &args),
        ConfigCommand::Set(args) => super::config_set::run(ctx, &args),
        ConfigCommand::Unset(args) => unset(ctx, &args),
        ConfigCommand::Validate(args) => validate(ctx, args.json),
        ConfigCommand::File(args) => file(ctx, args.json),
        ConfigCommand::Schema(_) => schema(ctx),
        ConfigCommand::Other(words) => {
            let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(super::other::subcommand("chela config", &name, NOT_BUILT, &BUILT))
        }
    }
}

/// Prints one value with secrets masked (GW-75, MAN-074).
fn get(ctx: &Context, args: &GetArgs) -> Result<(), Failure> {
    let path = parse_path(&args.path)?;
    let (config, _) = ctx.config_lenient()?;
    let hints = ctx.sensitive_hints(&ctx.scan(&config));
    let shown = redact(&config.effective, &hints);
    let Some(value) = get_path(&shown, &path) else {
        return Err(missing(&args.path));
    };
    match value {
        Value::String(text) if !args.json => output::text(text),
        other => output::json(other),
    }
}

fn missing(path: &str) -> Failure {
    Failure::new(format!("Config path not found: {path}")).hint("see the whole file's shape with `chela config schema`")
}

fn unset(ctx: &Context, args: &UnsetArgs) -> Result<(), Failure> {
    let path = parse_path(&args.path)?;
    let (config, _) = ctx.config_lenient()?;
    if get_path(&config.source, &path).is_none() {
        return Err(missing(&args.path));
    }
    let options = WriteOptions { dry_run: args.dry_run, ..WriteOptions::default() };
    let outcome =
        chela_config::write(&ctx.paths, &ctx.env, &[Edit::Unset { path: path.clone() }], &options).map_err(Failure::not_written)?;
    outcome.warnings.iter().for_each(|warning| warn(warning));
    let shown = format_path(&path);
    if args.json {
        return output::json(&json!({"ok": true, "path": shown, "changed": outcome.changed, "dryRun": args.dry_run}));
    }
    output::text(&match args.dry_run {
        true => format!("Would remove `{shown}`"),
        false => format!("Removed `{shown}`"),
    })
}

/// Checks the file, and the config of every plugin that is on (GW-127, MAN-063).
fn validate(ctx: &Context, as_json: bool) -> Result<(), Failure> {
    let report = validate_file(&ctx.paths, &ctx.env);
    let mut shown = serde_json::to_value(&report).map_err(|error| Failure::new(error.to_string()))?;
    let mut lines: Vec<String> = report.issues.iter().map(|issue| issue.render()).collect();
    let mut warnings: Vec<String> = report.warnings.iter().map(|issue| issue.render()).collect();
    if report.error.is_none()
        && let Ok((config, _)) = ctx.config_lenient()
    {
        for issue in ctx.scan(&config).config_issues {
            let error = issue.level == chela_catalog::Level::Error;
            let (key, list) = if error { ("issues", &mut lines) } else { ("warnings", &mut warnings) };
            list.push(format!("{}: {}", issue.path, issue.message));
            match shown[key].as_array_mut() {
                Some(rows) => rows.push(issue.to_json()),
                None => shown[key] = json!([issue.to_json()]),
            }
        }
    }
    let valid = report.valid && lines.is_empty();
    shown["valid"] = valid.into();
    if as_json {
        output::json(&shown)?;
        return if valid { Ok(()) } else { Err(Failure::silent(1)) };
    }
    warnings.iter().for_each(|warning| warn(warning));
    let path = ctx.show(&report.path);
    if valid {
        return output::text(&format!("Config valid: {path}"));
    }
    let mut failure = Failure::new(format!("config is invalid: `{path}`"));
    failure.causes = lines;
    failure.causes.extend(report.error);
    Err(if report.exists { failure } else { failure.hint("make one with `chela config set gateway.mode local`") })
}

fn file(ctx: &Context, as_json: bool) -> Result<(), Failure> {
    let path = &ctx.paths.config_path;
    if as_json {
        return output::json(&json!({"path": path, "exists": path.exists()}));
    }
    output::text(&path.display().to_string())
}

/// The schema with that of every plugin in its place. Without a usable file it is the plain one.
fn schema(ctx: &Context) -> Result<(), Failure> {
    let (mut plugins, mut channels) = (BTreeMap::new(), BTreeMap::new());
    match ctx.config_lenient() {
        Ok((config, _)) => {
            for plugin in ctx.scan(&config).plugins {
                plugins.insert(plugin.id.clone(), plugin.manifest.config_schema().clone());
                for (channel, config) in &plugin.channel_configs {
                    channels.insert(channel.clone(), config.schema.clone());
                }
            }
        }
        Err(failure) => note(&format!("schemas of plugins are left out: {}", failure.message)),
    }
    output::json(&published_schema(&plugins, &channels))
}
