//! Work that nobody waits for, begun in order.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;

/// Runs a future in the background. Its first step is taken here and now, so that what two of them send first is sent in the order of
/// the calls; a task of its own would leave that to the scheduler. Must be called inside a Tokio runtime.
pub fn spawn_in_order(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(work);
    }
}

/// Takes the first step of a future here and now; the rest is done when the returned one is awaited. What the first step sends is under
/// way meanwhile.
pub fn begun<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
    let mut work = Box::pin(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Box::pin(std::future::ready(done)),
        Poll::Pending => work,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn first_steps_keep_the_order_of_the_calls() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..200 {
            let seen = seen.clone();
            spawn_in_order(async move {
                seen.lock().unwrap().push(number);
                tokio::task::yield_now().await;
            });
        }
        assert_eq!(*seen.lock().unwrap(), (0..200).collect::<Vec<_>>());
    }
}
