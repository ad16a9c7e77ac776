//! `chela plugins search` and `chela plugins marketplace list` (INS-269..INS-271, INS-282, INS-283).

use chela_install::MarketplaceListing;
use serde_json::{Value, json};

use crate::cli::plugins::{MarketplaceArgs, MarketplaceCommand, MarketplaceListArgs, SearchArgs};
use crate::context::Context;
use crate::report::Failure;
use crate::{installer, output};

/// Searches ClawHub for plugins.
///
/// # Errors
/// Without a query, and when ClawHub cannot be asked.
pub fn run(ctx: &Context, args: &SearchArgs) -> Result<(), Failure> {
    let results = installer::make(ctx, Some(args.json)).search(&args.query.join(" "), args.limit)?;
    if args.json {
        return output::json(&json!({"results": results}));
    }
    if results.is_empty() {
        return output::text("No ClawHub plugins found.\n");
    }
    let lines: String = results.iter().map(line).collect();
    output::text(&format!("ClawHub plugins ({})\n{lines}", results.len()))
}

/// Two lines: what it is, and how to install it.
fn line(entry: &Value) -> String {
    let package = &entry["package"];
    let text = |key: &str| package[key].as_str().map(clean).filter(|text| !text.is_empty());
    let name = text("name").unwrap_or_default();
    let official = (package["isOfficial"] == true && package["channel"] != "official").then(|| "official".to_owned());
    let version = text("latestVersion").map(|version| format!("v{version}"));
    let facts: Vec<String> = [text("family"), text("channel"), official, version].into_iter().flatten().collect();
    let summary = text("summary").map(|summary| format!(" - {summary}")).unwrap_or_default();
    format!("{name}  {}{summary}\n  Install: chela plugins install clawhub:{name}\n", facts.join(" | "))
}

/// Strangers wrote it, so no control characters reach the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// `chela plugins marketplace`.
///
/// # Errors
/// Those of the subcommand.
pub fn marketplace(ctx: &Context, args: &MarketplaceArgs) -> Result<(), Failure> {
    match &args.command {
        MarketplaceCommand::List(args) => list(ctx, args),
    }
}

/// Lists the plugins of a marketplace.
fn list(ctx: &Context, args: &MarketplaceListArgs) -> Result<(), Failure> {
    let listing = installer::make(ctx, Some(args.json)).marketplace_list(&args.source)?;
    if args.json {
        return output::json(&json!(listing));
    }
    output::text(&text(&listing))
}

fn text(listing: &MarketplaceListing) -> String {
    if listing.plugins.is_empty() {
        return format!("No plugins found in marketplace {}.\n", clean(&listing.source));
    }
    let mut out = format!("Marketplace {}\n", clean(listing.name.as_deref().unwrap_or(&listing.source)));
    for plugin in &listing.plugins {
        out.push_str(&clean(&plugin.name));
        if let Some(version) = &plugin.version {
            out.push_str(&format!(" v{}", clean(version)));
        }
        if let Some(description) = &plugin.description {
            out.push_str(&format!(" - {}", clean(description)));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_what_it_is_and_how_to_install_it() {
        let entry = json!({"score": 1, "package": {"name": "@t/a", "family": "code-plugin", "channel": "community", "isOfficial": true,
            "latestVersion": "1.0.0", "summary": "Does\u{1b}[31m it"}});
        assert_eq!(
            line(&entry),
            "@t/a  code-plugin | community | official | v1.0.0 - Does [31m it\n  Install: chela plugins install clawhub:@t/a\n"
        );
    }
}
