//! Claude marketplaces: directories, repositories and names that Claude knows.

use std::path::{Path, PathBuf};

use chela_install::{InstallFlags, InstallRequest, Status, UpdateOutcome, UpdateRequest};
use serde_json::{Value, json};

use crate::git::{commit, git};
use crate::registry::pack;
use crate::server::Server;
use crate::support::Place;

fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A marketplace in `market` with these plugins; `plugins/tool` is a Claude bundle, `plugins/alpha` a native plugin.
fn market(place: &Place, plugins: Value) -> PathBuf {
    let root = place.dir.join("market");
    let manifest = json!({"name": "team", "version": "3", "plugins": plugins});
    write(&root.join(".claude-plugin/marketplace.json"), manifest.to_string());
    write(&root.join("plugins/tool/.claude-plugin/plugin.json"), r#"{"name": "tool", "description": "A tool"}"#);
    write(&root.join("plugins/tool/commands/go.md"), "# go");
    place.plugin("market/plugins/alpha", "1.0.0");
    root
}

fn usual() -> Value {
    json!([
        {"name": "tool", "version": "0.4.0", "description": "A tool", "source": "./plugins/tool"},
        {"name": "alpha", "source": {"source": "path", "path": "plugins/alpha"}},
    ])
}

fn request(plugin: &str, market: &str) -> InstallRequest {
    let flags = InstallFlags { marketplace: Some(market.to_owned()), force: true, ..InstallFlags::default() };
    InstallRequest { spec: plugin.to_owned(), flags }
}

fn install(place: &Place, plugin: &str, market: &str) -> Result<Value, String> {
    let done = place.installer().install(&request(plugin, market)).map_err(|error| error.to_string())?;
    Ok(place.index()["installRecords"][&done.plugin_id].clone())
}

fn refused(place: &Place, plugin: &str, market: &str) -> String {
    let before = place.picture();
    let message = install(place, plugin, market).unwrap_err();
    assert_eq!(place.picture(), before, "{message}");
    message
}

fn update(place: &Place, id: &str, dry_run: bool) -> UpdateOutcome {
    let request = UpdateRequest { id: Some(id.to_owned()), dry_run, ..UpdateRequest::default() };
    place.installer().update(&request, &mut |_| false).unwrap().remove(0)
}

// INS-081, INS-191, INS-272, INS-276, INS-281, INS-282
#[test]
fn plugins_of_a_directory_are_listed_and_installed() {
    let place = Place::new();
    let root = market(&place, usual());
    let text = root.to_str().unwrap();
    let before = place.picture();
    let listing = serde_json::to_value(place.installer().marketplace_list(text).unwrap()).unwrap();
    assert_eq!(
        listing,
        json!({"source": root.join(".claude-plugin/marketplace.json"), "name": "team", "version": "3", "plugins": [
            {"name": "tool", "version": "0.4.0", "description": "A tool", "source": {"kind": "path", "path": "./plugins/tool"}},
            {"name": "alpha", "source": {"kind": "path", "path": "plugins/alpha"}},
        ]})
    );
    assert_eq!(place.picture(), before);

    let record = install(&place, "tool", text).unwrap();
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["source", "installPath", "version", "installedAt", "marketplaceName", "marketplaceSource", "marketplacePlugin"]);
    assert_eq!(
        (&record["source"], &record["version"], &record["marketplaceName"]),
        (&json!("marketplace"), &json!("0.4.0"), &json!("team"))
    );
    assert_eq!((&record["marketplaceSource"], &record["marketplacePlugin"]), (&json!(text), &json!("tool")));
    assert!(Path::new(record["installPath"].as_str().unwrap()).join("commands/go.md").exists());
    assert_eq!(install(&place, "alpha", text).unwrap()["version"], "1.0.0");

    let label = root.join(".claude-plugin/marketplace.json");
    assert_eq!(
        refused(&place, "gone", text),
        format!("plugin \"gone\" not found in marketplace {} (available: alpha, tool)", label.display())
    );
    // A manifest at the top counts when there is no other.
    std::fs::rename(&label, root.join("marketplace.json")).unwrap();
    assert!(install(&place, "alpha", text).is_ok());
    std::fs::remove_file(root.join("marketplace.json")).unwrap();
    assert!(refused(&place, "alpha", text).starts_with("marketplace manifest not found under "));
    assert!(refused(&place, "alpha", "./nowhere").starts_with("unsupported marketplace source: ./nowhere"));
}

// INS-111, INS-276, INS-369
#[test]
fn a_name_that_claude_knows_means_its_copy_or_its_source() {
    let place = Place::new();
    let root = market(&place, usual());
    let known = |value: Value| write(&place.dir.join(".claude/plugins/known_marketplaces.json"), json!({"team": value}).to_string());
    let short = || {
        place
            .installer()
            .install(&InstallRequest { spec: "alpha@team".to_owned(), flags: InstallFlags { force: true, ..InstallFlags::default() } })
    };
    known(json!({"installLocation": root, "source": {"source": "github", "repo": "no/where"}}));
    let record = Value::Object(short().unwrap().record);
    assert_eq!((&record["marketplaceSource"], &record["marketplacePlugin"]), (&json!("team"), &json!("alpha")));
    assert_eq!(place.installer().marketplace_list("team").unwrap().source, "team");
    known(json!({"installLocation": "/gone", "source": {"source": "directory", "path": root}}));
    short().unwrap();
    known(json!({"source": {"source": "strange"}}));
    let error = short().unwrap_err().to_string();
    assert!(error.contains("unsupported plugin source kind: strange"), "{error}");
}

// INS-276, INS-277, INS-344, INS-368
#[test]
fn a_repository_offers_only_what_is_inside_it() {
    let place = Place::new();
    let root = market(&place, usual());
    std::os::unix::fs::symlink("/etc", root.join("out")).unwrap();
    git(&root, &["init", "--quiet"]);
    commit(&root);
    git(&root, &["tag", "v1"]);
    let url = format!("file://{}", root.display());
    let record = install(&place, "tool", &url).unwrap();
    assert_eq!((&record["marketplaceSource"], &record["version"]), (&json!(url), &json!("0.4.0")));
    assert_eq!(place.installer().marketplace_list(&url).unwrap().plugins.len(), 2);

    for (source, words) in [
        (json!("../elsewhere"), "plugin source escapes marketplace root: ../elsewhere"),
        (json!("./out"), "plugin source escapes marketplace root: ./out"),
        (json!("./gone"), "plugin source not found in marketplace root: ./gone"),
        (json!("/etc"), "may only name paths inside it"),
        (json!({"source": "path", "path": "https://h/x.zip"}), "may only name paths inside it"),
        (json!({"source": "github", "repo": "a/b"}), "may not name a `github` source"),
        (json!("https://h/x.zip"), "may not name a `url` source"),
    ] {
        let mut plugins = usual();
        plugins.as_array_mut().unwrap().push(json!({"name": "bad", "source": source}));
        market(&place, plugins);
        commit(&root);
        // One bad entry refuses all of them.
        let message = refused(&place, "tool", &url);
        assert!(message.starts_with("invalid marketplace entry \"bad\" in ") && message.contains(words), "{message}");
    }
    assert!(install(&place, "tool", &format!("{url}#v1")).is_ok(), "the tag is as it was");
    assert!(refused(&place, "tool", &format!("{url}#v9")).starts_with("failed to checkout v9 "));
}

// INS-275, INS-278, INS-279
#[test]
fn a_directory_may_point_elsewhere_but_not_climb() {
    let place = Place::new();
    let repo = place.plugin("repo/sub/alpha", "2.0.0");
    let top = place.dir.join("repo");
    git(&top, &["init", "--quiet"]);
    commit(&top);
    let url = format!("file://{}", top.display());
    let root = market(
        &place,
        json!([
            {"name": "absolute", "source": repo},
            {"name": "git", "source": {"source": "git", "url": url, "path": "sub/alpha"}},
            {"name": "subdir", "source": {"source": "git-subdir", "url": url, "path": "sub/alpha", "ref": "main"}},
            {"name": "climb", "source": "../repo/sub/alpha"},
            {"name": "climb-git", "source": {"source": "git-subdir", "url": url, "path": "../.."}},
            {"name": "url", "source": "http://127.0.0.1:9/x"},
        ]),
    );
    let text = root.to_str().unwrap();
    for plugin in ["absolute", "git", "subdir"] {
        let record = install(&place, plugin, text).unwrap();
        assert_eq!((&record["version"], &record["marketplacePlugin"]), (&json!("2.0.0"), &json!(plugin)));
        assert_eq!(place.version_in_use().as_deref(), Some("2.0.0"));
    }
    assert_eq!(refused(&place, "climb", text), "plugin source escapes marketplace root: ../repo/sub/alpha");
    assert_eq!(refused(&place, "climb-git", text), "plugin source escapes marketplace root: ../..");
    assert!(refused(&place, "url", text).starts_with("failed to clone 127.0.0.1"));
}

// INS-280
#[test]
fn archives_are_downloaded_from_public_hosts_within_limits() {
    let server = Server::start();
    let mut place = Place::new();
    let package = json!({"name": "@t/plug", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}});
    let files = [("openclaw.plugin.json", r#"{"id": "plug", "configSchema": {"type": "object"}}"#), ("index.js", "export default {};")];
    let good = format!("{}/plug.tgz", server.url);
    let root = market(&place, json!([{"name": "plug", "source": good}, {"name": "huge", "source": format!("{}/huge.zip", server.url)}]));
    let text = root.to_str().unwrap();
    let message = refused(&place, "plug", text);
    assert!(message.contains("no public address") && server.asked().is_empty(), "{message}");
    place.env.push(("CHELA_MARKETPLACE_PRIVATE_HOSTS".to_owned(), "1".to_owned()));
    assert_eq!(refused(&place, "plug", text), format!("failed to download {good}: HTTP 404"));
    server.put("/huge.zip", 200, &[("content-length", "999999999999")], "");
    let message = refused(&place, "huge", text);
    assert!(message.ends_with("download too large: 999999999999 bytes (limit: 268435456 bytes)"), "{message}");
    server.put("/plug.tgz", 200, &[], pack(&package, &files));
    assert_eq!(install(&place, "plug", text).unwrap()["version"], "1.0.0");
}

// INS-292, INS-293
#[test]
fn an_update_compares_the_files() {
    let place = Place::new();
    let root = market(&place, usual());
    let text = root.to_str().unwrap();
    install(&place, "tool", text).unwrap();
    install(&place, "alpha", text).unwrap();
    let before = place.picture();
    for (id, version) in [("tool", "0.4.0"), ("alpha", "1.0.0")] {
        for dry_run in [true, false] {
            assert_eq!(update(&place, id, dry_run).message, format!("{id} is up to date ({version})."));
        }
    }
    assert_eq!(place.picture(), before);
    place.plugin("market/plugins/alpha", "1.1.0");
    assert_eq!(update(&place, "alpha", true).message, "Would update alpha: 1.0.0 -> 1.1.0.");
    assert_eq!(place.picture(), before);
    assert_eq!(update(&place, "alpha", false).message, "Updated alpha: 1.0.0 -> 1.1.0.");
    assert_eq!(place.version_in_use().as_deref(), Some("1.1.0"));
    std::fs::remove_dir_all(&root).unwrap();
    let outcome = update(&place, "alpha", false);
    assert_eq!(outcome.status, Status::Error);
    assert!(outcome.message.contains(&format!("(marketplace plugin alpha from {text}).")), "{}", outcome.message);
}
