//! A transcript that another program wrote, read by the store, gone on with, cut, and read again.
#![no_main]

use chela_store::{Durability, NewEntry, OpenReason, Store, StoreOptions};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[path = "shared/home.rs"]
mod home;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
}

fuzz_target!(|data: &[u8]| {
    let home = home::in_memory();
    let dir = home.path().join("agents/main/sessions");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("s1.jsonl"), data).unwrap();
    std::fs::write(dir.join("sessions.json"), json!({"agent:main:main": {"sessionId": "s1", "updatedAt": 5}}).to_string()).unwrap();
    let base = home.path().to_owned();
    let mut options = StoreOptions::new(home.path().join("chela/db"), move |agent| base.join("agents").join(agent).join("sessions"));
    options.durability = Durability::Normal;
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let store = Store::open(options).unwrap();
            let row = store.open_session("agent:main:main", "main", OpenReason::System).await.unwrap().row;
            let Ok(before) = store.window(&row.session_id, 50).await else { return };
            let said = NewEntry::message(json!({"role": "user", "content": [{"type": "text", "text": "fuzz"}]}));
            store.append(&row.session_id, vec![said]).await.unwrap();
            let after = store.window(&row.session_id, 50).await.unwrap();
            assert!(after.len() == before.len() + 1 || after.len() == 50, "an entry was lost: {} and {}", before.len(), after.len());
            let (kept, copy) = store.cut_transcript(&row.session_id, 3).await.unwrap();
            let left = store.window(&row.session_id, 50).await.unwrap();
            assert!(left.len() as u64 <= kept);
            assert!(copy.is_none() || left.first().is_none_or(|e| e.kind != "message" || e.body["role"] == "user"), "{left:?}");
            // The file that is left is read back as it is.
            let text = std::fs::read_to_string(dir.join("s1.jsonl")).unwrap();
            assert_eq!(text.lines().count() as u64, kept, "{text}");
        });
    });
});
