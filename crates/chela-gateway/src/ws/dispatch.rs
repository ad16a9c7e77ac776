//! Requests after the handshake (GW-06..GW-11).

use super::handler::{MethodCall, MethodHandler, MethodSpecRef, Replier};
use crate::events::ClientHandle;
use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_gateway_protocol::frame::{FrameError, RequestFrame, encode_err, parse_request};
use chela_gateway_protocol::limits::{MAX_UNAUTHORIZED_REPLIES, close};
use chela_gateway_protocol::{MethodRole, MethodScope, Role, Scope};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves the requests of one connection.
pub(crate) struct Dispatcher {
    handler: Arc<dyn MethodHandler>,
    client: Arc<ClientHandle>,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    tasks: TaskTracker,
    gone: CancellationToken,
    unauthorized: u32,
}

impl Dispatcher {
    pub(crate) fn new(handler: Arc<dyn MethodHandler>, client: Arc<ClientHandle>, limits: (usize, usize), tasks: TaskTracker) -> Self {
        Dispatcher {
            handler,
            client,
            places: Arc::new(Semaphore::new(limits.0.max(1))),
            waiting: Arc::default(),
            max_waiting: limits.1,
            tasks,
            gone: CancellationToken::new(),
            unauthorized: 0,
        }
    }

    /// Serves one text frame. What is ready at once has been answered when this returns.
    pub(crate) async fn frame(&mut self, text: &str) {
        let request = match parse_request(text) {
            Ok(request) => request,
            Err(FrameError::NotJson(problem)) => {
                tracing::warn!(conn = %self.client.info.conn_id, problem, "frame is not JSON; ignored");
                return;
            }
            Err(error @ FrameError::NotRequest { .. }) => {
                let message = error.to_string();
                if let FrameError::NotRequest { id, .. } = error {
                    self.refuse(&id, &ErrorShape::invalid(Reason::InvalidFrame, message));
                }
                return;
            }
        };
        let wrong_role = match self.authorize(&request) {
            Ok(()) => {
                self.unauthorized = 0;
                self.run(request).await;
                return;
            }
            Err(Refusal::Role(error)) => {
                self.refuse(&request.id, &error);
                true
            }
            Err(Refusal::Other(error)) => {
                self.refuse(&request.id, &error);
                false
            }
        };
        self.unauthorized = if wrong_role { self.unauthorized + 1 } else { 0 };
        if self.unauthorized > MAX_UNAUTHORIZED_REPLIES {
            self.client.close.request(close::POLICY, "repeated unauthorized calls");
        }
    }

    /// Tells running requests that the client has left.
    pub(crate) fn client_left(&self) {
        self.gone.cancel();
    }

    fn authorize(&self, request: &RequestFrame) -> Result<(), Refusal> {
        let client = &self.client.info;
        if request.method == "connect" {
            return Err(Refusal::Other(ErrorShape::invalid(Reason::Conflict, "connect is only valid as the first request")));
        }
        let spec = self
            .handler
            .method_spec(&request.method)
            .unwrap_or(MethodSpecRef { scope: MethodScope::Scope(Scope::Admin), role: MethodRole::Operator });
        if !spec.role.allows(client.role) {
            return Err(Refusal::Role(ErrorShape::wrong_role(client.role.as_str())));
        }
        if client.role == Role::Node {
            return Ok(());
        }
        let needed = match spec.scope {
            MethodScope::None => return Ok(()),
            MethodScope::Scope(scope) => vec![scope],
            MethodScope::Dynamic => self.handler.dynamic_scopes(&request.method, &request.params),
        };
        match needed.into_iter().find(|scope| !client.has_scope(*scope)) {
            Some(missing) => Err(Refusal::Other(ErrorShape::missing_scope(missing))),
            None => Ok(()),
        }
    }

    async fn run(&self, request: RequestFrame) {
        let reply = Replier::new(request.id.clone(), self.client.clone());
        let call = MethodCall {
            id: request.id,
            method: request.method,
            params: request.params,
            client: self.client.info.clone(),
            reply,
            gone: self.gone.clone(),
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.queue(call);
            return;
        };
        let work = guarded(self.handler.clone(), call);
        let mut work: BoxFuture<'static, ()> = Box::pin(async move {
            work.await;
            drop(place);
        });
        // Most requests are answered from memory: polling once here spares them a task of their own.
        if futures::poll!(work.as_mut()).is_pending() {
            self.tasks.spawn(work);
        }
    }

    // All places are taken. Waiting happens in tasks, not by reading no further, so that a connection with
    // many long calls still gets its answers, pings and close.
    fn queue(&self, call: MethodCall) {
        let health = call.method == "health";
        if !health && self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let error = ErrorShape::unavailable(Reason::RateLimited, "too many requests of this connection are waiting; retry shortly");
            call.reply.err(&error.retry_after(500));
            return;
        }
        let (places, waiting, handler) = (self.places.clone(), self.waiting.clone(), self.handler.clone());
        self.tasks.spawn(async move {
            if health {
                guarded(handler, call).await;
                return;
            }
            let place = places.acquire_owned().await;
            waiting.fetch_sub(1, Ordering::Relaxed);
            guarded(handler, call).await;
            drop(place);
        });
    }

    fn refuse(&self, id: &str, error: &ErrorShape) {
        self.client.send_response(encode_err(id, error));
    }
}

enum Refusal {
    Role(ErrorShape),
    Other(ErrorShape),
}

// A panic in a method ends that request alone; its replier answers when it is dropped.
async fn guarded(handler: Arc<dyn MethodHandler>, call: MethodCall) {
    let method = call.method.clone();
    let work = AssertUnwindSafe(async move { handler.handle(call).await });
    if work.catch_unwind().await.is_err() {
        tracing::error!(method, "request handler panicked");
    }
}
