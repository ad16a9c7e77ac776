//! The table of loops and what is made of them.

use serde_json::{Value, json};

use super::*;

fn watch_with(config: Value) -> LoopWatch {
    LoopWatch::new(LoopSettings::from_config(&config, &Value::Null))
}

fn on() -> LoopWatch {
    watch_with(json!({"enabled": true}))
}

fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "details": {}})
}

/// One call with its result; what was found before it ran.
fn call(watch: &mut LoopWatch, tool: &str, args: Value, result: Value) -> Option<(&'static str, usize, bool)> {
    let id = format!("c{}", watch.calls.len());
    let found = watch.begin(tool, &args, &id);
    if !found.as_ref().is_some_and(|f| f.block) {
        watch.end(tool, &args, &id, (&result, false), false);
    }
    found.map(|f| (f.detector, f.count, f.block))
}

// TOOL-29
#[test]
fn the_same_call_with_the_same_result_is_warned_about_and_then_refused() {
    let mut watch = on();
    for at in 0..25 {
        let found = call(&mut watch, "read", json!({"a": 1, "b": [2]}), text("same"));
        let expected = match at {
            0..10 => None,
            10..20 => Some(("generic_repeat", at, false)),
            _ => Some(("generic_repeat", 20, true)),
        };
        assert_eq!(found, expected, "{at}");
    }
    // The order of members is no difference, another value is one.
    assert!(watch.begin("read", &json!({"b": [2], "a": 1}), "x").is_some_and(|s| s.block));
    assert_eq!(watch.begin("read", &json!({"a": 2, "b": [2]}), "y"), None);
    // Results that change are progress: warned about, never refused.
    let mut watch = on();
    for at in 0..28 {
        let found = call(&mut watch, "read", json!({}), text(&at.to_string()));
        assert!(found.is_none_or(|(_, _, block)| !block), "{at}");
    }
}

// TOOL-29
#[test]
fn polls_and_commands_count_by_what_does_not_change_each_time() {
    let mut watch = on();
    let poll = json!({"action": "poll", "sessionId": "s"});
    let result = |pid: u64| json!({"content": [{"type": "text", "text": "waits"}], "details": {"status": "running", "pid": pid}});
    let found: Vec<_> = (0..22).map(|at| call(&mut watch, "process", poll.clone(), result(at))).collect();
    assert_eq!(found[9], None);
    assert_eq!(found[10], Some(("known_poll_no_progress", 10, false)));
    assert_eq!(found[20], Some(("known_poll_no_progress", 20, true)));

    let done = |ms: u64, out: &str| json!({"content": [], "details": {"status": "completed", "exitCode": 1, "durationMs": ms, "cwd": "/", "aggregated": out}});
    let mut watch = on();
    let command = json!({"command": "make"});
    let found: Vec<_> = (0..21).map(|at| call(&mut watch, "exec", command.clone(), done(at, "no rule"))).collect();
    assert_eq!(found[20], Some(("generic_repeat", 20, true)), "the time it took is no progress");

    // With its own detector off, the breaker for everything is left.
    let mut watch = watch_with(json!({"enabled": true, "detectors": {"knownPollNoProgress": false}, "historySize": 40}));
    let found: Vec<_> = (0..31).map(|at| call(&mut watch, "process", poll.clone(), result(at))).collect();
    assert_eq!((found[29], found[30]), (None, Some(("global_circuit_breaker", 30, true))));
}

// TOOL-29
#[test]
fn two_calls_that_take_turns_are_a_loop() {
    let turn = |watch: &mut LoopWatch, at: usize, result: &str| {
        let tool = if at.is_multiple_of(2) { "read" } else { "write" };
        call(watch, tool, json!({"at": tool}), text(result))
    };
    let mut watch = on();
    let found: Vec<_> = (0..21).map(|at| turn(&mut watch, at, "same")).collect();
    assert_eq!((found[8], found[9]), (None, Some(("ping_pong", 10, false))));
    assert_eq!(found[19], Some(("ping_pong", 20, true)));
    let mut watch = on();
    let found: Vec<_> = (0..21).map(|at| turn(&mut watch, at, &at.to_string())).collect();
    assert!(found.iter().flatten().all(|(_, _, block)| !block), "{found:?}");
}

// TOOL-29
#[test]
fn a_tool_that_is_not_there_is_refused_after_ten_calls() {
    let mut watch = on();
    for at in 0..12 {
        let (args, id) = (json!({"at": at}), format!("c{at}"));
        let found = watch.begin("ghost", &args, &id);
        assert_eq!(found.map(|f| (f.detector, f.count)), (at >= 10).then_some(("unknown_tool_repeat", 10)), "{at}");
        if at < 10 {
            watch.end("ghost", &args, &id, (&text("no such tool"), true), true);
        }
    }
}

// TOOL-29
#[test]
fn it_is_off_unless_asked_for_and_the_watch_after_a_compaction_on_unless_refused() {
    let mut off = watch_with(Value::Null);
    for _ in 0..100 {
        assert_eq!(call(&mut off, "read", json!({}), text("same")), None);
    }
    assert!(off.calls.is_empty() && off.persisted.is_none());
    off.compacted();
    for at in 0..3 {
        assert!(off.persisted.is_none(), "{at}");
        call(&mut off, "read", json!({}), text("same"));
    }
    assert!(off.persisted.as_deref().is_some_and(|why| why.contains("compaction_loop_persisted") && why.contains("`read`")));

    for (config, results) in [
        (Value::Null, ["a", "b", "a", "a"]),
        (json!({"enabled": false}), ["a", "a", "a", "a"]),
        (json!({"postCompactionGuard": {"windowSize": 5}}), ["a", "a", "a", "a"]),
    ] {
        let mut watch = watch_with(config.clone());
        watch.compacted();
        for result in results {
            call(&mut watch, "read", json!({}), text(result));
        }
        assert_eq!(watch.persisted, None, "{config}");
    }
}

// TOOL-29
#[test]
fn numbers_come_from_the_agent_then_from_all_and_stay_in_order() {
    let settings = LoopSettings::from_config(&json!({"enabled": true, "warningThreshold": 8}), &json!({"warningThreshold": 25}));
    assert!(settings.enabled);
    assert_eq!((settings.warn, settings.critical, settings.breaker, settings.history, settings.unknown), (25, 26, 30, 30, 10));
    let settings = LoopSettings::from_config(&json!({"warningThreshold": "many", "historySize": 0}), &json!({"enabled": false}));
    assert_eq!((settings.enabled, settings.after_compaction, settings.warn, settings.history), (false, false, 10, 30));
    assert_eq!((settings.generic, settings.poll, settings.ping_pong, settings.window), (true, true, true, 3));
}
