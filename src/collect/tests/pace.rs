//! How busy the service is kept: time is counted in turns, in each of which the asker answers as
//! many requests as it lets through at once.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use serde_json::{Value, json};

use super::world::{cluster, plan, snapshot};
use crate::collect::{self, Plan};
use crate::http::{Answer, Ask};
use crate::model::Timestamp;

/// Answers `at_once` requests a turn, first come, first served.
struct Turns {
    at_once: usize,
    projects: usize,
    clusters: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Waker)>,
    next: u64,
    answered: u64,
    turns: u64,
    most: usize,
}

/// Whether the collector wants to go on by itself.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Turns {
    fn turn(&self) {
        let mut state = self.state.lock().unwrap();
        state.turns += 1;
        state.most = state.most.max(state.waiting.len());
        let served = self.at_once.min(state.waiting.len());
        for (number, waker) in state.waiting.drain(..served).collect::<Vec<_>>() {
            state.answered = state.answered.max(number + 1);
            waker.wake();
        }
    }

    fn body(&self, path: &str) -> Value {
        let path = path.split('?').next().unwrap();
        let rows = |rows: Vec<Value>| json!({"results": rows});
        match path.rsplit('/').next().unwrap() {
            "groups" => rows(
                (0..self.projects)
                    .map(|no| json!({"id": format!("p{no:04}")}))
                    .collect(),
            ),
            "encryptionAtRest" => json!({"awsKms": {"enabled": false}}),
            "clusters" => rows(
                (0..self.clusters)
                    .map(|no| cluster(&format!("c{no}"), "REPLICASET"))
                    .collect(),
            ),
            "snapshots" => rows(vec![snapshot(1)]),
            "schedule" => json!({"restoreWindowDays": 7}),
            "backupCompliancePolicy" => json!({}),
            _ => rows(Vec::new()),
        }
    }
}

impl Ask for Turns {
    async fn get(&self, path_and_query: &str, _accept: &str) -> Answer {
        let mut number = None;
        std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            let Some(number) = number else {
                number = Some(state.next);
                let entry = (state.next, context.waker().clone());
                state.next += 1;
                state.waiting.push_back(entry);
                return Poll::Pending;
            };
            if number < state.answered {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let now = Timestamp::floor(super::world::START).unwrap();
        Answer {
            status: Some(200),
            date: Some(now),
            local_at: now,
            retry_after: None,
            body: self.body(path_and_query).to_string().into_bytes(),
            failure: None,
        }
    }
}

/// Requests, turns, and the most requests that waited at once.
fn collect(projects: usize, clusters: usize, at_once: usize) -> (u64, u64, usize) {
    let folder = tempfile::tempdir().unwrap();
    let turns = Turns {
        at_once,
        projects,
        clusters,
        state: Mutex::default(),
    };
    let clock = || Timestamp::floor(super::world::START).unwrap();
    let plan = Plan {
        in_flight: NonZeroUsize::new(at_once).unwrap(),
        clock: &clock,
        ..plan()
    };
    let out = folder.path().join("bundle");
    let mut collecting = pin!(collect::atlas(
        &turns,
        &plan,
        &out,
        &(),
        std::future::pending()
    ));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let collected = loop {
        match collecting.as_mut().poll(&mut context) {
            Poll::Ready(collected) => break collected.unwrap(),
            // A turn is over when the collector has nothing left to do in it.
            Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
            Poll::Pending => turns.turn(),
        }
    };
    assert!(collected.is_complete());
    let state = turns.state.lock().unwrap();
    assert_eq!(collected.asked as u64, state.next);
    (state.next, state.turns, state.most)
}

#[test]
fn no_turn_is_wasted_on_many_projects_or_on_many_clusters() {
    for (projects, clusters, at_once) in [(120, 4, 16), (3, 80, 16), (1, 120, 8), (40, 1, 4)] {
        let (requests, turns, most) = collect(projects, clusters, at_once);
        let ideal = requests.div_ceil(at_once as u64);
        assert!(
            turns * 10 <= ideal * 13,
            "{projects} x {clusters}, {at_once} at once: {requests} requests took {turns} turns"
        );
        // Clusters in work of projects in work: what waits is a path each, never a body.
        assert!(most <= at_once * at_once, "{most} waited");
    }
}
