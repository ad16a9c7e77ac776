//! A few small packages of the real registry, when it can be reached.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;
use std::sync::Arc;

use chela_config::Env;
use chela_npm::{DefaultLine, NpmClient, NpmSettings, Overrides, Platform, Quiet, ResolveRequest, Root, Spec};

/// The settings that npm itself uses on this machine.
fn settings(cache: &std::path::Path) -> NpmSettings {
    NpmSettings::from_env(&Env::from_process(), cache.to_path_buf()).unwrap()
}

async fn reachable(client: &NpmClient) -> bool {
    match client.packument("ms").await {
        Ok(_) => true,
        Err(error) => {
            println!("SKIPPED: the npm registry cannot be reached: {error}");
            false
        }
    }
}

/// Every file and link below a directory but npm's own lock file, with what matters of it.
fn listing(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_symlink() {
                found.push(format!("{shown} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                open.push(path);
            } else if shown != ".package-lock.json" {
                found.push(format!("{shown} {}", std::fs::metadata(&path).unwrap().len()));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_tree_is_the_one_that_npm_makes() {
    let work = tempfile::tempdir().unwrap();
    let probe = NpmClient::new(settings(&work.path().join("cache"))).unwrap();
    if !reachable(&probe).await {
        return;
    }
    // Conflicting versions, peers, programs, scopes, optional packages of platforms.
    for spec in ["express@4.21.2", "@robertogongora/graphiti@0.6.2", "tsup@8.3.5"] {
        let node = Command::new("node").arg("--version").output().ok().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
        let client = NpmClient::with(settings(&work.path().join("cache")), Platform::current(), node.as_deref(), Arc::new(Quiet)).unwrap();
        let ours = work.path().join(format!("ours-{}", spec.replace('/', "+")));
        let begin = std::time::Instant::now();
        let selected = client.select(&Spec::parse(spec).unwrap(), DefaultLine::StableOnly).await.unwrap();
        let request = ResolveRequest { root: Root::Registry(selected), overrides: Overrides::default(), host_peers: Vec::new() };
        let resolution = client.resolve(&request).await.unwrap();
        let resolved = begin.elapsed();
        let fetched = client.fetch_tree(resolution).await.unwrap();
        let arrived = begin.elapsed();
        let placed = client.materialise(&fetched, &ours).await.unwrap();
        println!(
            "{spec}: {} packages, {} files; resolved {resolved:?}, fetched {arrived:?}, done {:?}",
            fetched.stored.len(),
            placed.files,
            begin.elapsed()
        );
        println!("{:?} {:?}", fetched.resolution.warnings, placed.install_scripts);
        let theirs = work.path().join(format!("theirs-{}", spec.replace('/', "+")));
        std::fs::create_dir_all(&theirs).unwrap();
        std::fs::write(theirs.join("package.json"), r#"{"name":"top","version":"1.0.0","private":true}"#).unwrap();
        let npm = Command::new("npm")
            .args(["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", spec])
            .arg("--cache")
            .arg(work.path().join("npm-cache"))
            .current_dir(&theirs)
            .output();
        let Some(npm) = npm.ok().filter(|npm| npm.status.code() != Some(127)) else {
            println!("SKIPPED: there is no npm, or no Node for it, to compare with");
            return;
        };
        println!("npm after {:?}", begin.elapsed());
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
        let (ours, theirs) = (listing(&ours.join("node_modules")), listing(&theirs.join("node_modules")));
        let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).take(20).collect();
        let extra: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).take(20).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{spec}: missing {missing:#?}\nextra {extra:#?}");
    }
}
