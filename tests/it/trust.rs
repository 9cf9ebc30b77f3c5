//! Nothing that an ordinary user of the source can write is believed: not a message, a setting, a name.
//! Each attack is made with the rights that everybody has, and with those of the database's owner.

mod attack;
mod chain;
mod publication;
mod refused;
