//! A file system without space: a typed error, nothing lost, and on it goes when there is space again.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

use chela_store::{NewEntry, OpenReason, Store, StoreError, StoreOptions};
use serde_json::json;

/// A small file system of its own, unmounted in the end.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|out| out.status.success()).then(|| Self(dir))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

fn open(root: &Path) -> Store {
    let base = root.to_owned();
    Store::open(StoreOptions::new(root.join("chela/chela.sqlite"), move |agent| base.join("agents").join(agent).join("sessions"))).unwrap()
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let Some(disk) = Tmpfs::mount() else {
        eprintln!("skipped: mounting a tmpfs needs root");
        return;
    };
    let root = disk.0.path();
    let ballast = root.join("ballast");
    std::fs::write(&ballast, vec![0_u8; 600 << 10]).unwrap();
    let (id, file, mut stored) = {
        let store = open(root);
        let row = store.open_session("main", "main", OpenReason::Interaction).await.unwrap().row;
        let mut stored = 0_u64;
        let error = loop {
            match store.append(&row.session_id, vec![entry(stored)]).await {
                Ok(_) => stored += 1,
                Err(e) => break e,
            }
            assert!(stored < 5_000, "the disk never filled");
        };
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
        assert!(error.to_string().contains("free disk space"));
        // Still full: refused again, and reading goes on.
        assert!(store.append(&row.session_id, vec![entry(stored)]).await.is_err());
        assert_eq!(store.window(&row.session_id, usize::MAX).await.unwrap().len() as u64, stored);
        std::fs::remove_file(&ballast).unwrap();
        store.append(&row.session_id, vec![entry(stored)]).await.unwrap();
        stored += 1;
        (row.session_id, row.session_file, stored)
    };
    let store = open(root);
    store.append(&id, vec![entry(stored)]).await.unwrap();
    stored += 1;
    let window = store.window(&id, usize::MAX).await.unwrap();
    let numbers: Vec<u64> = window.iter().map(|e| e.body["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..stored).collect::<Vec<_>>());
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.lines().count() as u64, stored + 1, "the file has caught up");
}

fn entry(n: u64) -> NewEntry {
    NewEntry::message(json!({"role": "user", "n": n, "pad": "x".repeat(4000)}))
}
