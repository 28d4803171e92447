//! Who may ask: the key, tokens, and the few logins that are allowed.

use std::collections::HashSet;

use super::answer::Refusal;

/// The key that every request carries.
pub const API_KEY: &str = "inbox-key-of-the-tests";
/// Who logs in.
pub const IDENTIFIER: &str = "demo@example.invalid";
/// The password.
pub const PASSWORD: &str = "a-password-of-the-tests";

/// The tokens that are good.
#[derive(Debug, Default)]
pub(crate) struct Access {
    tokens: HashSet<String>,
    refresh: HashSet<String>,
    /// Logins and renewals that were asked for.
    pub asked: usize,
    /// Whoever logs in is refused.
    pub locked: bool,
    issued: usize,
}

/// A token and what renews it.
pub(crate) struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Access {
    /// Whether a request may go on.
    pub fn check(&self, key: Option<&str>, bearer: Option<&str>) -> Result<(), Refusal> {
        match key {
            None => return Err(Refusal::new(401, "MISSING_API_KEY", "API Key requerida")),
            Some(key) if key != API_KEY => return Err(Refusal::new(401, "INVALID_API_KEY", "API Key inválida")),
            Some(_) => {}
        }
        match bearer {
            // Later versions take the key alone.
            None => Ok(()),
            Some(token) if self.tokens.contains(token) => Ok(()),
            Some(_) => Err(Refusal::new(401, "INVALID_TOKEN", "Token inválido o expirado")),
        }
    }

    /// A login.
    pub fn login(&mut self, identifier: &str, password: &str) -> Result<Pair, Refusal> {
        if self.locked || identifier != IDENTIFIER || password != PASSWORD {
            return Err(Refusal::new(401, "AUTHENTICATION_FAILED", "Credenciales inválidas"));
        }
        Ok(self.issue())
    }

    /// A renewal: the token before stays good until its end.
    pub fn renew(&mut self, refresh: &str) -> Result<Pair, Refusal> {
        if self.locked || !self.refresh.contains(refresh) {
            return Err(Refusal::new(401, "INVALID_TOKEN", "Token inválido o expirado"));
        }
        Ok(self.issue())
    }

    /// Lets all tokens end; what renews them stays good.
    pub fn expire(&mut self) {
        self.tokens.clear();
    }

    fn issue(&mut self) -> Pair {
        self.issued += 1;
        let pair = Pair { access: format!("access-{}", self.issued), refresh: format!("refresh-{}", self.issued) };
        self.tokens.insert(pair.access.clone());
        self.refresh.insert(pair.refresh.clone());
        pair
    }
}
