mod builtin;
mod model;

use chela_plugin::HookPolicy;

use super::*;
use crate::testing::{Act, Worker, on, registry, registry_with};

const TOOL: HookName = HookName::BeforeToolCall;

async fn fire(engine: &HookEngine, hook: HookName, event: Value) -> Dispatched {
    engine.dispatch(hook, event, json!({"runId": "r"}), DispatchOptions::default()).await
}

// HOOK-119
#[tokio::test]
async fn no_handler_means_no_payload() {
    let worker = Worker::new(1, &[]);
    let engine = HookEngine::new(registry(&[("p", &worker, vec![])]));
    let done = engine.dispatch_with(TOOL, DispatchOptions::default(), || panic!("built")).await;
    assert_eq!((done.called, done.merged), (0, Value::Null));
    engine.spawn_parallel(HookName::AgentEnd, || panic!("built"));
    assert!(!engine.has(TOOL));
}

// HOOK-088, HOOK-090, HOOK-109
#[tokio::test]
async fn neighbours_in_one_worker_travel_together_and_see_the_same_event() {
    let one = Act::Return(json!({"params": {"x": 1}}));
    let a = Worker::new(1, &[(1, one), (2, Act::Undefined), (3, Act::Return(json!({"params": {"x": 3}})))]);
    let b = Worker::new(2, &[(9, Act::Return(json!(null)))]);
    let name = TOOL.as_str();
    let engine =
        HookEngine::new(registry(&[("a", &a, vec![on(name, 1, 10), on(name, 2, 5), on(name, 3, -1)]), ("b", &b, vec![on(name, 9, 0)])]));
    let done = fire(&engine, TOOL, json!({"params": {"x": 0}})).await;
    assert_eq!(a.batches(), [vec![1, 2], vec![3]]);
    assert_eq!(b.batches(), [vec![9]]);
    assert!(a.seen().iter().chain(&b.seen()).all(|event| event["params"]["x"] == 0));
    assert_eq!(done.merged, json!({"params": {"x": 3}}));
    assert_eq!(done.called, 4);
}

// HOOK-300, HOOK-301: what the documents promise
#[tokio::test]
async fn a_rewritten_text_is_what_the_next_handler_sees() {
    for hook in [HookName::MessageSending, HookName::BeforeDispatch] {
        let a =
            Worker::new(1, &[(1, Act::Return(json!({"content": "one"}))), (2, Act::Undefined), (3, Act::Return(json!({"content": 5})))]);
        let b = Worker::new(2, &[(9, Act::Return(json!({"content": "two"})))]);
        let name = hook.as_str();
        let engine = HookEngine::new(registry(&[
            ("a", &a, vec![on(name, 1, 10), on(name, 2, 5), on(name, 3, -1)]),
            ("b", &b, vec![on(name, 9, 0)]),
        ]));
        let done = fire(&engine, hook, json!({"content": "original", "to": "u"})).await;
        let seen = |worker: &Worker| worker.seen().iter().map(|e| e["content"].as_str().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!((seen(&a), seen(&b)), (vec!["original".to_string(), "one".into(), "two".into()], vec!["one".to_string()]), "{hook}");
        assert_eq!(done.merged["content"], if hook == HookName::BeforeDispatch { json!("two") } else { json!(5) });
    }
}

// HOOK-299
#[tokio::test]
async fn only_those_who_asked_see_every_message() {
    let hook = HookName::InboundClaim;
    let all = |handle: u64, priority: i64| ("on", json!([hook.as_str(), {"$fn": handle}, {"priority": priority, "allMessages": true}]));
    let bound = Worker::new(1, &[(1, Act::Return(json!({"handled": true})))]);
    let asks = Worker::new(2, &[(1, Act::Undefined), (2, Act::Return(json!({"handled": true, "reply": {"text": "r"}})))]);
    let engine =
        HookEngine::new(registry(&[("bound", &bound, vec![on(hook.as_str(), 1, 9)]), ("asks", &asks, vec![all(1, 5), all(2, 1)])]));
    assert!(engine.claims_all());
    let done = engine.claim_all(DispatchOptions::default(), || (json!({"content": "x"}), json!({}))).await;
    assert_eq!((done.merged["reply"]["text"].as_str(), done.decided_by.as_deref(), done.called), (Some("r"), Some("asks"), 2));
    assert!(bound.batches().is_empty());
    let none = HookEngine::new(registry(&[("bound", &bound, vec![on(hook.as_str(), 1, 9)])]));
    assert!(!none.claims_all());
    assert_eq!(none.claim_all(DispatchOptions::default(), || panic!("built")).await.called, 0);
}

// HOOK-129: what a plugin may do is settled when it registers; a new registry asks again
#[tokio::test]
async fn permissions_are_those_of_the_registry() {
    let hook = HookName::AgentTurnPrepare;
    let worker = Worker::new(1, &[(1, Act::Return(json!({"prependContext": "x"})))]);
    let plugins = [("p", &worker, vec![on(hook.as_str(), 1, 0)])];
    let engine = HookEngine::new(registry(&plugins));
    assert_eq!(fire(&engine, hook, json!({})).await.called, 1);
    let forbid = HookPolicy { allow_prompt_injection: Some(false), ..HookPolicy::default() };
    engine.swap(registry_with(&plugins, &[("p", forbid)]));
    assert_eq!(fire(&engine, hook, json!({})).await.called, 0);
    engine.swap(registry(&plugins));
    assert_eq!(fire(&engine, hook, json!({})).await.called, 1);
}

// HOOK-102, HOOK-103, HOOK-105, HOOK-107
#[tokio::test]
async fn a_failing_handler_of_an_open_hook_is_passed_over() {
    let worker = Worker::new(
        1,
        &[
            (1, Act::Return(json!({"prependContext": "a"}))),
            (2, Act::Throw("boom\nbang")),
            (3, Act::Return(json!({"prependContext": "b"}))),
        ],
    );
    let engine = HookEngine::new(registry(&[(
        "p",
        &worker,
        vec![on("before_prompt_build", 1, 3), on("before_prompt_build", 2, 2), on("before_prompt_build", 3, 1)],
    )]));
    let done = fire(&engine, HookName::BeforePromptBuild, json!({})).await;
    assert_eq!(done.merged, json!({"prependContext": "a\n\nb"}));
    assert!(!done.refused);
    assert_eq!((done.failures[0].kind, done.failures[0].message.as_str()), (FailureKind::Threw, "boom bang"));
    let counter = &engine.counters()[0];
    assert_eq!((counter.calls, counter.failures, counter.timeouts, counter.last_error.as_deref()), (3, 1, 0, Some("boom bang")));
}

// HOOK-102, HOOK-106, HOOK-148, HOOK-168
#[tokio::test]
async fn a_failing_handler_of_a_closed_hook_refuses_the_action() {
    for hook in [HookName::BeforeAgentRun, TOOL] {
        let a = Worker::new(1, &[(1, Act::Throw("secret"))]);
        let b = Worker::new(2, &[(1, Act::Undefined)]);
        let engine = HookEngine::new(registry(&[("a", &a, vec![on(hook.as_str(), 1, 1)]), ("b", &b, vec![on(hook.as_str(), 1, 0)])]));
        let done = fire(&engine, hook, json!({})).await;
        assert!(done.refused && b.batches().is_empty());
        assert!(!done.merged.to_string().contains("secret"));
        if hook == TOOL {
            assert_eq!(done.merged, json!({"block": true, "blockReason": TOOL_HOOK_FAILED}));
        } else {
            assert_eq!(done.merged["outcome"], "block");
            assert_eq!(done.decided_by.as_deref(), Some("before_agent_run"));
        }
    }
}

// HOOK-098, HOOK-100, HOOK-303
#[tokio::test(start_paused = true)]
async fn a_hung_worker_costs_no_more_than_its_budget() {
    let hung = Worker::new(1, &[(1, Act::Hang)]);
    let other = Worker::new(2, &[(1, Act::Return(json!({"content": "x"})))]);
    let policy = HookPolicy { timeout_ms: Some(40), ..HookPolicy::default() };
    let plugins = [("hung", &hung, vec![on("message_sending", 1, 1)]), ("other", &other, vec![on("message_sending", 1, 0)])];
    let engine = HookEngine::new(registry_with(&plugins, &[("hung", policy)]));
    let done = fire(&engine, HookName::MessageSending, json!({})).await;
    assert_eq!(done.merged, json!({"content": "x"}));
    assert_eq!((done.failures[0].kind, done.failures[0].message.as_str()), (FailureKind::TimedOut, "timed out after 40ms"));
    assert_eq!(engine.counters()[0].timeouts, 1);
    // Without any configuration the default of the hook still bounds it.
    let engine = HookEngine::new(registry(&plugins));
    assert_eq!(fire(&engine, HookName::MessageSending, json!({})).await.failures[0].message, "timed out after 30000ms");
}

// HOOK-099
#[tokio::test(start_paused = true)]
async fn parallel_handlers_have_timers_of_their_own() {
    let slow = Worker::new(1, &[(1, Act::Hang)]);
    let quick = Worker::new(2, &[(1, Act::Undefined), (2, Act::Throw("x"))]);
    let plugins = [("slow", &slow, vec![on("agent_end", 1, 0)]), ("quick", &quick, vec![on("agent_end", 1, 9), on("agent_end", 2, -9)])];
    let engine = HookEngine::new(registry(&plugins));
    let done = fire(&engine, HookName::AgentEnd, json!({"messages": []})).await;
    assert_eq!(quick.batches(), [vec![1, 2]]);
    assert_eq!((done.called, done.failures.len(), done.merged), (3, 2, Value::Null));
    // HOOK-060: the run id comes from the context.
    assert_eq!(quick.seen()[0]["runId"], "r");
    let capped = DispatchOptions { budget_override: Some(Duration::from_millis(100)), ..DispatchOptions::default() };
    let begun = tokio::time::Instant::now();
    let done = engine.dispatch(HookName::AgentEnd, json!({}), json!({}), capped).await;
    assert_eq!(done.failures.iter().find(|f| f.kind == FailureKind::TimedOut).map(|f| f.message.as_str()), Some("timed out after 100ms"));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_worker_that_is_gone_fails_each_of_its_handlers() {
    let gone = Worker::gone(1, &[]);
    let alive = Worker::new(2, &[(1, Act::Return(json!({"content": "x"})))]);
    let plugins = [
        ("gone", &gone, vec![on("message_sending", 1, 2), on("message_sending", 2, 1)]),
        ("alive", &alive, vec![on("message_sending", 1, 0)]),
    ];
    let done = fire(&HookEngine::new(registry(&plugins)), HookName::MessageSending, json!({})).await;
    assert_eq!(done.failures.iter().map(|f| f.kind).collect::<Vec<_>>(), [FailureKind::Unreachable; 2]);
    assert_eq!(done.merged, json!({"content": "x"}));
}

#[tokio::test]
async fn cancelling_ends_the_dispatch_and_refuses_closed_hooks() {
    let hung = Worker::new(1, &[(1, Act::Hang)]);
    let next = Worker::new(2, &[(1, Act::Undefined)]);
    for (hook, refused) in [(TOOL, true), (HookName::MessageSending, false)] {
        let engine = HookEngine::new(registry(&[("a", &hung, vec![on(hook.as_str(), 1, 1)]), ("b", &next, vec![on(hook.as_str(), 1, 0)])]));
        let options = DispatchOptions::default();
        let cancel = options.cancel.clone();
        let dispatch = engine.dispatch(hook, json!({}), json!({}), options);
        let (done, ()) = tokio::join!(dispatch, async move { cancel.cancel() });
        assert_eq!((done.refused, done.failures[0].kind), (refused, FailureKind::Cancelled));
    }
    assert!(next.batches().is_empty());
}

// HOOK-025, HOOK-061, HOOK-162, HOOK-164, HOOK-169, HOOK-170, HOOK-171
#[tokio::test]
async fn approvals_freeze_the_parameters_for_others() {
    let a = Worker::new(
        1,
        &[
            (
                1,
                Act::Return(
                    json!({"params": {"x": 1}, "requireApproval": {"title": "t", "pluginId": "forged", "onResolution": {"$fn": 77}}}),
                ),
            ),
            (2, Act::Return(json!({"params": {"x": 2}, "requireApproval": {"title": "second"}}))),
        ],
    );
    let b = Worker::new(2, &[(1, Act::Return(json!({"params": {"x": 3}, "requireApproval": {"title": "other"}})))]);
    let hook = TOOL.as_str();
    let engine = HookEngine::new(registry(&[("a", &a, vec![on(hook, 1, 9), on(hook, 2, 7)]), ("b", &b, vec![on(hook, 1, 8)])]));
    let done = fire(&engine, TOOL, json!({"params": {"keep": true, "x": 0}})).await;
    assert_eq!(done.merged["params"], json!({"keep": true, "x": 2}));
    assert_eq!(done.merged["requireApproval"]["title"], "t");
    assert_eq!(done.merged["requireApproval"]["pluginId"], "a");
    assert_eq!(done.on_resolution.map(|c| (c.plugin_id.to_string(), c.handle)), Some(("a".into(), 77)));
    assert_eq!(done.decided_by.as_deref(), Some("a"));
}

// HOOK-108, HOOK-145, HOOK-146
#[tokio::test]
async fn null_blocks_a_run_and_undefined_does_not() {
    let hook = HookName::BeforeAgentRun;
    let quiet = Worker::new(1, &[(1, Act::Undefined), (2, Act::Return(json!({"outcome": "pass"})))]);
    let null = Worker::new(2, &[(1, Act::Return(Value::Null))]);
    let after = Worker::new(3, &[(1, Act::Return(json!({"outcome": "block", "reason": "later"})))]);
    let engine = HookEngine::new(registry(&[
        ("quiet", &quiet, vec![on(hook.as_str(), 1, 9), on(hook.as_str(), 2, 8)]),
        ("null", &null, vec![on(hook.as_str(), 1, 5)]),
        ("after", &after, vec![on(hook.as_str(), 1, 1)]),
    ]));
    let done = fire(&engine, hook, json!({})).await;
    assert_eq!((done.merged["outcome"].as_str(), done.decided_by.as_deref()), (Some("block"), Some("null")));
    assert!(!done.refused && after.batches().is_empty());
}

// HOOK-027, HOOK-028, HOOK-064, HOOK-207
#[tokio::test]
async fn synchronous_hooks_pass_the_message_on() {
    let a = Worker::new(1, &[(1, Act::Mark("one")), (2, Act::Mark("two")), (4, Act::Mark("four"))]);
    let b = Worker::new(2, &[(3, Act::Mark("three"))]);
    let hook = "tool_result_persist";
    let engine =
        HookEngine::new(registry(&[("a", &a, vec![on(hook, 1, 9), on(hook, 2, 8), on(hook, 4, 1)]), ("b", &b, vec![on(hook, 3, 5)])]));
    let done = fire(&engine, HookName::ToolResultPersist, json!({"message": {"role": "toolResult"}})).await;
    assert_eq!(done.merged, json!({"message": {"role": "toolResult", "one": true, "two": true, "three": true, "four": true}}));
    let write = Worker::new(3, &[(1, Act::Mark("x")), (2, Act::Return(json!({"block": "yes"}))), (3, Act::Mark("never"))]);
    let hook = "before_message_write";
    let engine = HookEngine::new(registry(&[("w", &write, vec![on(hook, 1, 3), on(hook, 2, 2), on(hook, 3, 1)])]));
    let done = fire(&engine, HookName::BeforeMessageWrite, json!({"message": {}})).await;
    assert_eq!((done.merged, done.decided_by.as_deref(), done.called), (json!({"block": true}), Some("w"), 2));
}

// HOOK-126
#[tokio::test]
async fn constrained_handlers_lose_their_prompt_fields() {
    let hook = "before_agent_start";
    let a = Worker::new(
        1,
        &[(1, Act::Return(json!({"systemPrompt": "evil", "modelOverride": "m"}))), (2, Act::Return(json!({"prependContext": "evil"})))],
    );
    let b = Worker::new(2, &[(1, Act::Return(json!({"prependContext": "fine"})))]);
    let forbid = HookPolicy { allow_prompt_injection: Some(false), ..HookPolicy::default() };
    let plugins = [("a", &a, vec![on(hook, 1, 2), on(hook, 2, 1)]), ("b", &b, vec![on(hook, 1, 0)])];
    let engine = HookEngine::new(registry_with(&plugins, &[("a", forbid.clone())]));
    assert_eq!(fire(&engine, HookName::BeforeAgentStart, json!({})).await.merged, json!({"modelOverride": "m", "prependContext": "fine"}));
    let only = HookEngine::new(registry_with(&[("a", &a, vec![on(hook, 2, 0)])], &[("a", forbid)]));
    assert_eq!(fire(&only, HookName::BeforeAgentStart, json!({})).await.merged, Value::Null);
}

// HOOK-209, HOOK-210
#[tokio::test]
async fn a_bound_conversation_asks_one_plugin() {
    let hook = HookName::InboundClaim;
    let takes = Worker::new(1, &[(1, Act::Undefined), (2, Act::Return(json!({"handled": 1, "reply": "r"}))), (3, Act::Throw("never"))]);
    let fails = Worker::new(2, &[(1, Act::Throw("boom")), (2, Act::Return(json!({"handled": false})))]);
    let none = Worker::new(3, &[(1, Act::Return(json!({"handled": false})))]);
    let name = hook.as_str();
    let engine = HookEngine::new(registry(&[
        ("takes", &takes, vec![on(name, 1, 3), on(name, 2, 2), on(name, 3, 1)]),
        ("fails", &fails, vec![on(name, 1, 3), on(name, 2, 2)]),
        ("declines", &none, vec![on(name, 1, 0)]),
        ("empty", &none, vec![]),
    ]));
    let claim = |id: &'static str| engine.claim_by_plugin(id, hook, json!({}), json!({}), DispatchOptions::default());
    assert!(matches!(claim("takes").await, Claim::Handled(result) if result["reply"] == "r"));
    assert!(matches!(claim("fails").await, Claim::Failed(failure) if failure.message == "boom"));
    assert!(matches!(claim("declines").await, Claim::Declined));
    assert!(matches!(claim("empty").await, Claim::NoHandler));
    assert!(matches!(claim("unknown").await, Claim::MissingPlugin));
}

#[tokio::test]
async fn one_plugin_is_told_alone_and_counted() {
    let (late, early) = (Worker::new(1, &[(1, Act::Undefined)]), Worker::new(2, &[(1, Act::Undefined)]));
    let engine =
        HookEngine::new(registry(&[("early", &early, vec![on("gateway_start", 1, 0)]), ("late", &late, vec![on("gateway_start", 1, 0)])]));
    engine.spawn_parallel_of("late", HookName::GatewayStart, || (json!({"port": 1}), json!({})));
    engine.spawn_parallel_of("nobody", HookName::GatewayStart, || panic!("built for nobody"));
    let counted = |id: &str| engine.counters().iter().filter(|c| c.plugin_id == id).map(|c| c.calls).sum::<u64>();
    while counted("late") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((counted("late"), counted("early"), late.seen().len(), early.seen().len()), (1, 0, 1, 0));
}

#[tokio::test]
async fn a_worker_is_woken_while_the_one_before_it_works() {
    let (a, b) = (Worker::new(1, &[(2, Act::Undefined)]), Worker::new(2, &[(1, Act::Undefined)]));
    let plugins = [
        ("a", &a, vec![on("before_agent_run", 1, 0), on("before_prompt_build", 2, 0)]),
        ("b", &b, vec![on("before_prompt_build", 1, 0), on("agent_end", 3, 0)]),
    ];
    let engine = HookEngine::new(registry(&plugins));
    engine.wake(&[HookName::BeforePromptBuild, HookName::BeforeAgentRun]);
    let woken = |worker: &Worker| worker.woken.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((woken(&a), woken(&b)), (1, 0));
    assert!(a.batches().is_empty());
    fire(&engine, HookName::BeforePromptBuild, json!({})).await;
    assert_eq!((woken(&a), woken(&b)), (1, 1));
}

// HOOK-117
#[tokio::test]
async fn a_swap_changes_handlers_and_keeps_counters() {
    let worker = Worker::new(1, &[(1, Act::Undefined)]);
    let engine = HookEngine::new(registry(&[("p", &worker, vec![on("gateway_start", 1, 0)])]));
    fire(&engine, HookName::GatewayStart, json!({})).await;
    engine.swap(registry(&[("p", &worker, vec![])]));
    assert!(!engine.has(HookName::GatewayStart));
    assert_eq!(engine.counters()[0].calls, 1);
}

#[tokio::test]
async fn events_that_nobody_waits_for_arrive_in_order() {
    let worker = Worker::new(1, &[(1, Act::Undefined), (2, Act::Undefined)]);
    let engine = HookEngine::new(registry(&[("p", &worker, vec![on("session_end", 1, 0), on("session_start", 2, 0)])]));
    for i in 0..50 {
        engine.spawn_parallel(HookName::SessionEnd, || (json!({"n": i, "end": true}), json!({})));
        engine.spawn_parallel(HookName::SessionStart, || (json!({"n": i, "end": false}), json!({})));
    }
    while worker.seen().len() < 100 {
        tokio::task::yield_now().await;
    }
    let expected: Vec<Value> = (0..50).flat_map(|i| [json!({"n": i, "end": true}), json!({"n": i, "end": false})]).collect();
    assert_eq!(worker.seen(), expected);
}
