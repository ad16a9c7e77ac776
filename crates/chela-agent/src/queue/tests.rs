use super::*;

fn settings(mode: QueueMode, cap: usize, drop: DropPolicy) -> QueueSettings {
    QueueSettings { mode, debounce_ms: 0, cap, drop }
}

fn route(to: &str, sender: &str, owner: bool) -> Route {
    Route { to: to.into(), sender: Some(sender.into()), owner }
}

fn waiting(id: &str, route: Route) -> (Waiting, oneshot::Receiver<Told>) {
    let (told, hears) = oneshot::channel();
    (Waiting { run_id: id.into(), text: format!("text of {id}"), images: vec![], from: None, route, told }, hears)
}

fn offered(id: &str, alone: bool) -> (Offered, oneshot::Receiver<Told>) {
    let (told, hears) = oneshot::channel();
    (Offered { run_id: id.into(), text: id.into(), images: vec![], alone, goes_on: false, told }, hears)
}

fn ids(taken: &[Offered]) -> Vec<&str> {
    taken.iter().map(|o| o.run_id.as_str()).collect()
}

// CH-131, CH-132
#[test]
fn a_run_takes_up_what_comes_while_it_works_and_hands_back_the_rest() {
    let queues = Arc::new(SessionQueues::default());
    let place = queues.enter_idle("s", "a").unwrap();
    assert!(queues.enter_idle("s", "b").is_none(), "one run at a time");
    let owner = route("web", "me", true);
    let (early, _keep) = offered("early", false);
    assert!(queues.offer("s", early, &owner).is_err(), "the run does not take anything up yet");
    queues.open("s", "a", owner.clone());
    let mut hears = Vec::new();
    for (id, alone) in [("1", false), ("2", false), ("3", true), ("4", false)] {
        let (one, hear) = offered(id, alone);
        queues.offer("s", one, &owner).unwrap();
        hears.push(hear);
    }
    let (other, _keep) = offered("x", false);
    assert!(queues.offer("s", other, &route("elsewhere", "me", true)).is_err(), "its answer goes elsewhere");
    let (other, _keep) = offered("x", false);
    assert!(queues.offer("s", other, &route("web", "guest", false)).is_err(), "a guest does not speak in the owner's run");
    assert_eq!(ids(&queues.take_up("s", "a")), ["1", "2"]);
    assert_eq!(ids(&queues.take_up("s", "a")), ["3"]);
    assert_eq!(ids(&queues.take_up_or_close("s", "a")), ["4"]);
    let (late, mut hear) = offered("late", false);
    queues.offer("s", late, &owner).unwrap();
    drop(place);
    assert!(matches!(hear.try_recv(), Ok(Told::Returned)));
    assert!(queues.lock().is_empty(), "an idle session costs nothing");
}

#[test]
fn a_run_that_found_nothing_more_takes_nothing_more() {
    let queues = Arc::new(SessionQueues::default());
    let _place = queues.enter("s", "a");
    let me = route("web", "me", true);
    queues.open("s", "a", me.clone());
    assert!(queues.take_up_or_close("s", "a").is_empty());
    let (late, _keep) = offered("late", false);
    assert!(queues.offer("s", late, &me).is_err());
}

// CH-128, CH-129
#[test]
fn too_many_messages_go_as_the_policy_says() {
    let me = || route("web", "me", true);
    for (policy, gone, text) in [
        (DropPolicy::Old, "1", None),
        (DropPolicy::Summarize, "1", Some("[1 earlier message was dropped, because too many waited. In short:]\n- text of 1\n\ntext of 2")),
    ] {
        let queues = Arc::new(SessionQueues::default());
        let _place = queues.enter_idle("s", "a").unwrap();
        let mut all = HashMap::new();
        for id in ["1", "2", "3"] {
            let (one, hear) = waiting(id, me());
            let done = queues.enqueue("s", one, &settings(QueueMode::Followup, 2, policy));
            assert_eq!(done, Enqueued::Waits(id == "1"), "only the first begins to serve the queue");
            all.insert(id, hear);
        }
        assert!(matches!(all.get_mut(gone).unwrap().try_recv(), Ok(Told::Dropped)));
        assert_eq!(queues.depth("s"), 2);
        let Next::Turn(leader, shared) = queues.next("s") else { panic!("empty") };
        assert_eq!((leader.run_id.as_str(), shared.text.as_deref()), ("2", text));
    }
    let queues = Arc::new(SessionQueues::default());
    let (one, _a) = waiting("1", me());
    let (two, _b) = waiting("2", me());
    let one_only = settings(QueueMode::Followup, 1, DropPolicy::New);
    assert_eq!(queues.enqueue("s", one, &one_only), Enqueued::Waits(true));
    assert_eq!(queues.enqueue("s", two, &one_only), Enqueued::Refused);
    assert_eq!(queues.clear("s"), 1);
}

// CH-130
#[test]
fn collected_messages_share_a_turn_unless_they_go_to_different_places() {
    let collect = settings(QueueMode::Collect, 20, DropPolicy::Summarize);
    let queues = Arc::new(SessionQueues::default());
    let mut hears = Vec::new();
    for (id, sender) in [("1", "ann"), ("2", "ann"), ("3", "bob")] {
        let (one, hear) = waiting(id, route("web", sender, false));
        queues.enqueue("s", one, &collect);
        hears.push(hear);
    }
    let Next::Turn(leader, shared) = queues.next("s") else { panic!("empty") };
    assert_eq!(leader.run_id, "2", "the newest of one sender leads");
    assert_eq!(shared.others.len(), 1);
    let text = shared.text.unwrap();
    assert!(text.contains("Message 1:\ntext of 1") && text.ends_with("Message 2:\ntext of 2"), "{text}");
    let Next::Turn(leader, shared) = queues.next("s") else { panic!("empty") };
    assert_eq!((leader.run_id.as_str(), shared.text), ("3", None));
    assert!(matches!(queues.next("s"), Next::Empty));
    for (id, to) in [("1", "room"), ("2", "hall")] {
        let (one, hear) = waiting(id, route(to, "ann", false));
        queues.enqueue("s", one, &collect);
        hears.push(hear);
    }
    let Next::Turn(leader, shared) = queues.next("s") else { panic!("empty") };
    assert_eq!((leader.run_id.as_str(), shared.others.len()), ("1", 0), "one by one");
}

#[tokio::test]
async fn a_queue_is_served_when_the_session_is_free() {
    let (queues, runs) = (Arc::new(SessionQueues::default()), Arc::new(RunRegistry::default()));
    let place = queues.enter_idle("s", "a").unwrap();
    let lane = runs.lane("s").await;
    let (one, hear) = waiting("1", route("web", "me", true));
    assert_eq!(queues.enqueue("s", one, &settings(QueueMode::Followup, 5, DropPolicy::Old)), Enqueued::Waits(true));
    let (gone, hear_gone) = waiting("2", route("web", "me", true));
    queues.enqueue("s", gone, &settings(QueueMode::Followup, 5, DropPolicy::Old));
    drop(hear_gone);
    let serving = tokio::spawn(queues.clone().serve(runs, "s".into()));
    let mut hear = std::pin::pin!(hear);
    assert!(futures::poll!(hear.as_mut()).is_pending());
    drop((place, lane));
    let Ok(Told::Go(go)) = hear.await else { panic!("not told") };
    assert!(queues.enter_idle("s", "c").is_none(), "the session is busy until the turn has ended");
    drop(go);
    serving.await.unwrap();
    assert!(queues.lock().is_empty());
}
