//! Tables of keys, as the contract gives them.

use super::*;

#[test]
fn agent_ids_are_repaired() {
    // CH-135
    let long = "a".repeat(70);
    let cases = [
        ("Main", "main"),
        ("", "main"),
        ("  ", "main"),
        ("My Agent!!", "my-agent"),
        ("--x--", "x"),
        ("_ops", "_ops"),
        ("ä", "main"),
        (long.as_str(), &long[..64]),
    ];
    for (raw, want) in cases {
        assert_eq!(normalize_agent_id(raw), want, "{raw}");
    }
    assert!(is_valid_agent_id("A-1_b"));
    for bad in ["", "-a", "_a", "a b", &long] {
        assert!(!is_valid_agent_id(bad), "{bad}");
    }
}

#[test]
fn keys_are_canonical() {
    // CH-133, CH-139
    let cases = [
        ("", "agent:ops:main"),
        ("MAIN", "agent:ops:main"),
        ("agent:Main:Telegram:Group:-100", "agent:main:telegram:group:-100"),
        ("agent::x::y", "agent:x:y"),
        ("Explicit:Foo", "agent:ops:explicit:foo"),
        ("global", "global"),
        ("agent:x", "agent:x"),
    ];
    for (raw, want) in cases {
        assert_eq!(canonicalize(raw, "ops"), want, "{raw}");
        assert_eq!(canonicalize(want, "other"), want, "stable: {want}");
    }
    assert_eq!(parse_agent_key("agent:a"), None);
    assert_eq!(parse_agent_key("x:a:b"), None);
}

#[test]
fn grammar() {
    // CH-134, CH-140, CH-141
    let direct = |channel: Option<&str>, account: Option<&str>, peer: &str| KeyKind::Direct {
        channel: channel.map(str::to_owned),
        account: account.map(str::to_owned),
        peer: peer.to_owned(),
    };
    let conv = |kind, id: &str, topic: Option<&str>| KeyKind::Conversation {
        channel: "telegram".to_owned(),
        kind,
        id: id.to_owned(),
        topic: topic.map(str::to_owned),
    };
    let cases = [
        ("agent:a:main", KeyKind::Main, None, false),
        ("agent:a:main:thread:77:9", KeyKind::Main, Some("77:9"), false),
        ("agent:a:main:heartbeat", KeyKind::Main, None, true),
        ("agent:a:direct:bob", direct(None, None, "bob"), None, false),
        ("agent:a:signal:direct:+1", direct(Some("signal"), None, "+1"), None, false),
        ("agent:a:signal:work:direct:+1", direct(Some("signal"), Some("work"), "+1"), None, false),
        ("agent:a:telegram:group:-1:topic:5", conv("group", "-1", Some("5")), None, false),
        ("agent:a:telegram:channel:c:thread:T", conv("channel", "c", None), Some("t"), false),
        ("agent:a:cron:j", KeyKind::Cron { job: "j".into(), run: None }, None, false),
        ("agent:a:cron:j:run:r", KeyKind::Cron { job: "j".into(), run: Some("r".into()) }, None, false),
        ("agent:a:hook:h", KeyKind::Hook("h".into()), None, false),
        ("agent:a:subagent:u", KeyKind::Subagent("u".into()), None, false),
        ("agent:a:acp:x:y", KeyKind::Acp("x:y".into()), None, false),
        ("agent:a:explicit:e", KeyKind::Explicit("e".into()), None, false),
        ("agent:a:openai-user:u", KeyKind::OpenAi { prefix: "openai-user", id: "u".into() }, None, false),
        ("agent:a:openresponses:u", KeyKind::OpenAi { prefix: "openresponses", id: "u".into() }, None, false),
        ("agent:a:whatever:z", KeyKind::Other("whatever:z".into()), None, false),
        ("global", KeyKind::Global, None, false),
    ];
    for (key, kind, thread, heartbeat) in cases {
        let parsed = parse(key);
        assert_eq!(parsed.kind, kind, "{key}");
        assert_eq!(parsed.thread_id.as_deref(), thread, "{key}");
        assert_eq!(parsed.heartbeat, heartbeat, "{key}");
    }
}

#[test]
fn direct_messages_follow_the_scope() {
    // CH-136, CH-137
    let links = vec![("Alice".to_owned(), vec!["signal:+1".to_owned(), "U9".to_owned()])];
    let route = |scope: &str, peer: Option<&'static str>| {
        peer_key(&PeerRoute {
            agent_id: "Ops",
            channel: "Signal",
            account_id: "Work",
            peer_id: peer,
            dm_scope: scope.parse().unwrap(),
            identity_links: &links,
            ..PeerRoute::default()
        })
    };
    let cases = [
        ("main", Some("+2"), "agent:ops:main"),
        ("main", Some(""), "agent:ops:main"),
        ("per-peer", None, "agent:ops:main"),
        ("per-peer", Some(" "), "agent:ops:direct:unknown"),
        ("per-peer", Some("+2"), "agent:ops:direct:+2"),
        ("per-peer", Some("+1"), "agent:ops:direct:alice"),
        ("per-peer", Some("u9"), "agent:ops:direct:alice"),
        ("main", Some("+1"), "agent:ops:main"),
        ("per-channel-peer", Some("Bob"), "agent:ops:signal:direct:bob"),
        ("per-account-channel-peer", Some("Bob"), "agent:ops:signal:work:direct:bob"),
    ];
    for (scope, peer, want) in cases {
        assert_eq!(route(scope, peer), want, "{scope} {peer:?}");
    }
    assert!("per-nothing".parse::<DmScope>().is_err());
}

#[test]
fn groups_ignore_scope_and_account() {
    // CH-138
    for scope in [DmScope::Main, DmScope::PerAccountChannelPeer] {
        let mut route = PeerRoute {
            agent_id: "a",
            channel: "slack",
            account_id: "x",
            kind: PeerKind::Channel,
            peer_id: Some("C1"),
            dm_scope: scope,
            ..PeerRoute::default()
        };
        assert_eq!(peer_key(&route), "agent:a:slack:channel:c1");
        route.peer_id = None;
        assert_eq!(peer_key(&route), "agent:a:slack:channel:unknown");
    }
}

#[test]
fn thread_suffix() {
    // CH-140
    assert_eq!(with_thread("agent:a:main", "T-9"), "agent:a:main:thread:t-9");
    assert_eq!(with_thread("agent:a:main", " "), "agent:a:main");
    assert_eq!(thread_key("agent:a:main", "T9", true), "agent:a:main:thread:T9");
    assert_eq!(thread_key("agent:a:main", "T9", false), "agent:a:main");
    assert_eq!(split_thread("agent:a:x:thread:1:thread:2"), ("agent:a:x:thread:1", Some("2")));
    assert_eq!(split_thread("agent:a:x"), ("agent:a:x", None));
}

#[test]
fn conversation_references() {
    // CH-142
    let found = conversation_ref("agent:a:Telegram:group:-1:topic:5").unwrap();
    assert_eq!((found.channel.as_str(), found.kind, found.raw_id.as_str()), ("telegram", "group", "-1:topic:5"));
    assert_eq!(found.prefix, "agent:a:Telegram:group");
    for none in ["agent:a:telegram:group", "agent:a:telegram:direct:1", "agent:a:main", "", "slack:channel"] {
        assert_eq!(conversation_ref(none), None, "{none}");
    }
    assert_eq!(conversation_ref("slack:channel:c1").unwrap().prefix, "slack:channel");
}
