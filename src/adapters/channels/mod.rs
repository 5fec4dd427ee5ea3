//! The ways in which messages reach holders: one file or folder per kind of channel, each a
//! [`ChannelSender`](crate::ports::outward::ChannelSender).
//!
//! May import: `domain`, `ports`, and the outbound guard. A channel gives a message its form and hands it over; what is
//! said, to whom and when again is decided before it gets here. Every error here is free of addresses and of what the
//! other side said, because errors are logged.

pub mod email;
pub mod inbox;
pub mod web_push;
