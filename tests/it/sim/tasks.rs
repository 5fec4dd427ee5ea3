//! Tasks that advance one poll at a time, in whatever order the run chooses, and may be dropped between any two: that
//! is what a crash does to them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Gives way once, so that the run may go on elsewhere, or end here.
pub async fn give_way() {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.0 {
                return Poll::Ready(());
            }
            self.0 = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Once(false).await;
}

/// Which task is running, so that the ports know on whose behalf they are called.
pub type TaskId = usize;

/// Something under way on a node.
pub struct Task<A, R> {
    pub id: TaskId,
    pub node: usize,
    /// What was asked.
    pub act: A,
    future: Pin<Box<dyn Future<Output = R>>>,
}

impl<A, R> Task<A, R> {
    pub fn new(id: TaskId, node: usize, act: A, future: impl Future<Output = R> + 'static) -> Self {
        Self { id, node, act, future: Box::pin(future) }
    }

    /// Runs it to its next wait, or to its end.
    pub fn poll(&mut self) -> Option<R> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}
