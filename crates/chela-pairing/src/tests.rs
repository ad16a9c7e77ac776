use super::*;

fn pairing() -> (tempfile::TempDir, Pairing) {
    let dir = tempfile::tempdir().unwrap();
    let pairing = Pairing::new(dir.path(), "Talk ").unwrap();
    (dir, pairing)
}

const NOW: i64 = 1_900_000_000_000;

// CH-37, CH-38, CH-39, CH-40, CH-42
#[test]
fn codes_wait_an_hour_and_three_at_most_on_an_account() {
    let (_dir, pairing) = pairing();
    let ask = |account: &str, id: &str, now: i64| pairing.ask(account, id, &json!({"name": "N", "x": 1}), now).unwrap();
    let first = ask("default", "u1", NOW);
    let code = first.code.clone().unwrap();
    assert!(first.created && code.len() == 8 && code.bytes().all(|b| ALPHABET.contains(&b)), "{code}");
    assert_eq!(ask("default", "u1", NOW + 1000), Asked { code: Some(code.clone()), created: false });
    ask("default", "u2", NOW);
    ask("default", "u3", NOW);
    assert_eq!(ask("default", "u4", NOW), Asked { code: None, created: false });
    assert!(ask("work", "u4", NOW).created);
    let file = file::read(&pairing.requests_file());
    assert_eq!((&file["version"], file["requests"].as_array().unwrap().len()), (&json!(1), 4));
    let row = &file["requests"][0];
    assert_eq!((&row["id"], &row["meta"]), (&json!("u1"), &json!({"name": "N", "accountId": "default"})));
    assert_eq!((file::time_of(&row["createdAt"]), file::time_of(&row["lastSeenAt"])), (Some(NOW), Some(NOW + 1000)));
    let late = ask("default", "u1", NOW + LIFE_MS);
    assert!(late.created && late.code.unwrap() != code, "seeing the sender again does not extend its life");
}

// CH-43, CH-44
#[test]
fn a_code_admits_its_sender_in_the_account_that_asked() {
    let (dir, pairing) = pairing();
    let code = pairing.ask("default", "u1", &Value::Null, NOW).unwrap().code.unwrap();
    let other = pairing.ask("work", "u2", &Value::Null, NOW + 1).unwrap().code.unwrap();
    assert_eq!(pairing.pending(None, NOW + 2).len(), 2);
    assert_eq!(pairing.pending(Some("work"), NOW + 2)[0]["code"], other.as_str());
    assert_eq!(Pairing::channels(dir.path()), ["talk"]);
    assert_eq!(pairing.approve(&code, Some("work"), NOW).unwrap(), None, "another account's code");
    assert_eq!(pairing.approve("AAAAAAAA", None, NOW).unwrap(), None);
    let approved = pairing.approve(&format!(" {} ", code.to_lowercase()), None, NOW).unwrap().unwrap();
    assert_eq!((approved.id.as_str(), approved.account.as_str()), ("u1", "default"));
    assert_eq!(pairing.approve(&code, None, NOW).unwrap(), None, "a code works once");
    pairing.approve(&other, Some("work"), NOW).unwrap().unwrap();
    let written = |name: &str| file::read(&dir.path().join("credentials").join(name));
    assert_eq!(written("talk-default-allowFrom.json"), json!({"version": 1, "allowFrom": ["u1"]}));
    assert_eq!(written("talk-work-allowFrom.json"), json!({"version": 1, "allowFrom": ["u2"]}));
    file::write(&pairing.unscoped_file(), &json!({"version": 1, "allowFrom": ["u9", "*", "u1", 4]})).unwrap();
    assert_eq!(pairing.allowed("default"), ["u1", "u9"]);
    assert_eq!(pairing.allowed("work"), ["u2"], "other accounts have their own file only");
    assert!(matches!(pairing.allow("work", " * "), Err(PairingError::Wildcard)));
    assert_eq!(pairing.allow("work", "u3").unwrap(), (true, vec!["u2".to_owned(), "u3".to_owned()]));
    assert!(!pairing.allow("work", "u3").unwrap().0);
    assert_eq!(pairing.forbid("work", "u2").unwrap(), (true, vec!["u3".to_owned()]));
    assert!(!pairing.forbid("work", "u2").unwrap().0);
}

#[test]
fn names_that_are_no_channels_touch_no_file() {
    for name in ["", "../x", "a b", "a/b"] {
        assert!(matches!(Pairing::new(Path::new("/nowhere"), name), Err(PairingError::Channel(_))), "{name}");
    }
}

// CH-45
#[test]
fn writers_wait_for_each_other_and_a_stale_lock_is_broken() {
    let (_dir, pairing) = pairing();
    pairing.allow("default", "u0").unwrap();
    let lock = PathBuf::from(format!("{}.lock", pairing.allowed_file("default").display()));
    let held = std::fs::File::create(&lock).unwrap();
    held.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    pairing.allow("default", "u1").unwrap();
    assert!(!lock.exists());
    std::thread::scope(|scope| {
        for n in 2..10 {
            let pairing = &pairing;
            scope.spawn(move || pairing.allow("default", &format!("u{n}")).unwrap());
        }
    });
    assert_eq!(pairing.allowed("default").len(), 10);
}

// CH-46
#[test]
fn only_the_first_approval_makes_an_owner() {
    for (config, id, owner) in [
        (json!({}), "u1", Some("talk:u1")),
        (json!({"commands": {"ownerAllowFrom": [" "]}}), "Talk:u1", Some("Talk:u1")),
        (json!({"commands": {"ownerAllowFrom": ["talk:u0"]}}), "u1", None),
        (json!({"commands": {"ownerAllowFrom": [7]}}), "u1", None),
    ] {
        assert_eq!(owner_entry(&config, "talk", id).as_deref(), owner, "{config}");
    }
}
