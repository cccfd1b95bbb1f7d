//! Requests that change something.

use wb_core::context::Outcome;
use wb_core::system::clock;
use wb_core::system::http::shown;

use super::{Answer, BOUND, HttpError, PAUSE, Request, is_expected};
use crate::Host;
use crate::ensure::{Difference, ensure};

/// A request that is sent only when its guard says that it is needed. [`Request::unless`] makes it.
#[must_use = "say how it is sent: `.post()?`, `.put()?`, `.patch()?` or `.delete()?`"]
pub struct Guarded<'a> {
    request: Request<Host<'a>>,
    look: Request<Host<'a>>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Whether it was sent, or would be.
    pub outcome: Outcome,
    /// The answer, where it was sent.
    pub answer: Option<Answer>,
}

impl Sent {
    /// Whether it was sent, or would be. Let nothing that must be done hang on it: after a run that was killed right behind
    /// the request, it is not sent again.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// /// Gives whether there was none.
    /// fn make_the_index(host: &Host) -> Result<bool> {
    ///     let index = "http://127.0.0.1:9200/shop";
    ///     Ok(host.http(index).body("{}").unless(host.http(index)).put()?.changed())
    /// }
    /// # let _ = make_the_index as fn(&Host) -> Result<bool>;
    /// ```
    #[must_use]
    pub fn changed(&self) -> bool {
        self.outcome.changed()
    }
}

impl<'a> Guarded<'a> {
    pub(super) fn new(request: Request<Host<'a>>, look: Request<Host<'a>>) -> Self {
        Self { request, look }
    }

    /// Sends it with POST, when it is needed. Afterwards its guard is asked again: what it expects must be so within 10
    /// seconds.
    ///
    /// # Errors
    /// When the guard can't be asked, the request is not accepted, or what it was to bring about is not so.
    pub fn post(self) -> Result<Sent, HttpError> {
        self.send("POST")
    }

    /// Sends it with PUT, as [`Guarded::post`] does.
    ///
    /// # Errors
    /// As [`Guarded::post`].
    pub fn put(self) -> Result<Sent, HttpError> {
        self.send("PUT")
    }

    /// Sends it with PATCH, as [`Guarded::post`] does.
    ///
    /// # Errors
    /// As [`Guarded::post`].
    pub fn patch(self) -> Result<Sent, HttpError> {
        self.send("PATCH")
    }

    /// Sends it with DELETE, as [`Guarded::post`] does.
    ///
    /// # Errors
    /// As [`Guarded::post`].
    pub fn delete(self) -> Result<Sent, HttpError> {
        self.send("DELETE")
    }

    fn send(mut self, method: &'static str) -> Result<Sent, HttpError> {
        let host = self.request.access;
        let what = format!("http {method} {} sent", shown(&self.request.url));
        let body = self.request.sent.take().transpose();
        let body = body.map_err(|source| HttpError::Json { url: shown(&self.request.url), source })?;
        let difference = self.difference()?;
        let mut answer = None;
        let outcome = ensure(host, &what, difference, || {
            answer = Some(self.act(method, body.as_deref())?);
            self.must_hold(method)
        })?;
        Ok(Sent { outcome, answer })
    }

    fn difference(&self) -> Result<Difference, HttpError> {
        match self.look.holds() {
            Ok(true) => Ok(Difference::None),
            Ok(false) => Ok(Difference::Some(None)),
            Err(error) if self.request.access.plans() => Ok(Difference::Unknown(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn act(&self, method: &'static str, body: Option<&[u8]>) -> Result<Answer, HttpError> {
        let empty = (method != "DELETE").then_some([].as_slice());
        let answer = self.request.ask(method, body.or(empty))?;
        match is_expected(answer.status, &self.request.statuses) {
            true => Ok(answer),
            false => Err(HttpError::Refused { method, url: shown(&self.request.url), answer: Box::new(answer) }),
        }
    }

    fn must_hold(&self, method: &'static str) -> Result<(), HttpError> {
        let clock = self.request.access.system().clock();
        let held = clock::wait_until(clock, BOUND, PAUSE, || match self.look.holds() {
            Ok(false) => None,
            Err(error) if !error.is_final() => None,
            held => Some(held),
        });
        let not_so = || HttpError::NotSo { method, url: shown(&self.request.url), bound: BOUND };
        held.ok_or_else(not_so)?.map(drop)
    }
}
