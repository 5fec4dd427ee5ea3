//! Use cases from end to end, without HTTP: real services, real ceremonies by a software authenticator, a record in
//! memory and a clock that moves only when a test moves it.

mod bounced;
mod crossed;
mod crowding;
mod deciding;
mod enrolment;
mod freezing;
mod lifecycle;
mod push;
mod told;
pub mod world;
