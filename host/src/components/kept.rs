//! Instances kept between calls: a webhook is decoded ten times faster in one that is there already.
//!
//! Only of one use, only of the component as it is now, never after a fault, and not for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::component::Component;
use super::limits::Limits;
use super::runtime::Instance;

/// The idle instances of one use.
#[derive(Default)]
pub(super) struct Kept {
    idle: Mutex<Vec<(Arc<Component>, Instance)>>,
}

impl Kept {
    fn idle(&self) -> MutexGuard<'_, Vec<(Arc<Component>, Instance)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle instance of this very component.
    pub fn take(&self, component: &Arc<Component>) -> Option<Instance> {
        let mut idle = self.idle();
        let (of, instance) = idle.pop()?;
        if Arc::ptr_eq(&of, component) {
            return Some(instance);
        }
        let outdated = std::mem::take(&mut *idle);
        drop(idle);
        drop((instance, outdated));
        None
    }

    /// Takes an instance back after a call that went well.
    pub fn put(&self, component: &Arc<Component>, mut instance: Instance, limits: &Limits) {
        instance.calls += 1;
        // One that has grown to half of what it may have would soon fail.
        if instance.calls >= limits.kept_calls || instance.live.memory() > limits.memory / 2 {
            return;
        }
        let mut idle = self.idle();
        if idle.len() < most() {
            idle.push((component.clone(), instance));
        }
    }

    /// Lets all of them go.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.idle());
        drop(all);
    }
}

/// As many as can be busy at once, and as many again.
fn most() -> usize {
    static MOST: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *MOST.get_or_init(|| 2 * std::thread::available_parallelism().map_or(2, usize::from))
}
