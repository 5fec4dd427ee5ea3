//! The console's pages as view models, by the rules of [`super`]. Their frame is [`frame::Frame`], printed by
//! `templates/console/frame.html`; nothing here holds an unmasked value but [`holder::RevealedPage`].

pub mod audit;
pub mod cases;
pub mod failure;
pub mod frame;
pub mod holder;
pub mod home;
pub mod refused;
pub mod sign_in;
pub mod staff;

#[cfg(test)]
pub mod samples;
