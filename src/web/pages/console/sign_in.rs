//! Before somebody is known: signing in, and making a passkey on an invite.

use super::frame::Frame;
use askama::Template;

#[derive(Template)]
#[template(path = "console/sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
}

/// Whether a code goes with the invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Asked,
    None,
}

#[derive(Template)]
#[template(path = "console/join.html")]
pub struct JoinPage {
    pub frame: Frame,
    pub token: String,
    pub name: String,
    pub group: String,
    pub employer: String,
    pub roles: String,
    pub ends: String,
    pub code: Code,
}

#[derive(Template)]
#[template(path = "console/joined.html")]
pub struct JoinedPage {
    pub frame: Frame,
}
