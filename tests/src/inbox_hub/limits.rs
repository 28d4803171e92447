//! How often the server may be asked. Each limit is a window that begins with its first request.

use super::world::now;

/// One limit.
#[derive(Clone, Debug)]
pub struct Window {
    /// Requests in a window.
    pub requests: u64,
    /// Milliseconds of a window.
    pub length: u64,
    begun: u64,
    used: u64,
    /// Requests that were refused.
    pub refused: u64,
}

impl Window {
    fn new(requests: u64, length: u64) -> Self {
        Self { requests, length, begun: 0, used: 0, refused: 0 }
    }

    /// Takes one request, or refuses it.
    pub(super) fn take(&mut self) -> bool {
        if now() >= self.begun + self.length {
            (self.begun, self.used) = (now(), 0);
        }
        if self.used >= self.requests {
            self.refused += 1;
            return false;
        }
        self.used += 1;
        true
    }

    /// Requests left.
    pub(super) fn left(&self) -> u64 {
        self.requests.saturating_sub(self.used)
    }

    /// When the window ends.
    pub(super) fn ends(&self) -> u64 {
        self.begun + self.length
    }
}

/// The published limits.
#[derive(Clone, Debug)]
pub struct Limits {
    /// All requests: 1,000 in a quarter of an hour.
    pub all: Window,
    /// Those about WhatsApp: 30 a minute.
    pub session: Window,
    /// Sends: 10 a minute.
    pub sends: Window,
    /// Logins and renewals: 5 in a quarter of an hour.
    pub logins: Window,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            all: Window::new(1000, 900_000),
            session: Window::new(30, 60_000),
            sends: Window::new(10, 60_000),
            logins: Window::new(5, 900_000),
        }
    }
}

impl Limits {
    /// Takes any number of requests, but for logins.
    pub fn lift(&mut self) {
        for window in [&mut self.all, &mut self.session, &mut self.sends] {
            window.requests = u64::MAX;
        }
    }

    /// How many requests were refused for being too many.
    pub fn refused(&self) -> u64 {
        [&self.all, &self.session, &self.sends, &self.logins].into_iter().map(|window| window.refused).sum()
    }
}
