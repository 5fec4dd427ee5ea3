//! Amounts and units. An amount is a decimal string, never a float: digits, at most one point, no sign, no exponent,
//! no leading zero, at most the unit's own number of decimals, and more than zero.

use iso_currency::Currency as Iso;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use super::text::Token;

/// Decimals of an asset on a network: 18 is what the widest ones in use have (ERC-20 default).
pub const ASSET_DECIMALS: u8 = 18;
/// Digits before the point. With 18 decimals the whole stays inside a `u128`.
const MAX_WHOLE_DIGITS: usize = 18;

/// Why an amount or a unit was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    #[error("must be digits with at most one point, without sign, exponent or leading zeros")]
    NotDecimal,
    #[error("must be more than zero")]
    Zero,
    #[error("must have at most {0} digits before the point", MAX_WHOLE_DIGITS)]
    TooLarge,
    #[error("must have at most {max} decimals for this unit")]
    TooManyDecimals { max: u8 },
    #[error("is not an ISO 4217 currency that payments use")]
    UnknownCurrency,
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(Iso);

impl Currency {
    /// Reads the three-letter code, in capitals.
    ///
    /// # Errors
    /// [`BadMoney::UnknownCurrency`] when ISO 4217 doesn't list it, or lists it without minor units (XAU, XTS).
    pub fn parse(code: &str) -> Result<Self, BadMoney> {
        let iso = Iso::from_code(code).ok_or(BadMoney::UnknownCurrency)?;
        iso.exponent().ok_or(BadMoney::UnknownCurrency)?;
        Ok(Self(iso))
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Number of decimals (ISO 4217 minor unit).
    pub fn decimals(self) -> u8 {
        self.0.exponent().and_then(|e| u8::try_from(e).ok()).unwrap_or(0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&code).map_err(serde::de::Error::custom)
    }
}

/// Something of value on a network: the symbol alone names nothing (there is a USDC on many networks).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// The network, for example `ethereum`.
    pub network: Token<32>,
    /// The symbol on that network, for example `USDC`.
    pub symbol: Token<16>,
}

/// What an amount counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unit {
    Currency(Currency),
    Asset(Asset),
}

impl Unit {
    /// How many decimals an amount of this unit may have.
    pub fn decimals(&self) -> u8 {
        match self {
            Self::Currency(currency) => currency.decimals(),
            Self::Asset(_) => ASSET_DECIMALS,
        }
    }

    /// The short code that stands beside an amount.
    pub fn code(&self) -> &str {
        match self {
            Self::Currency(currency) => currency.code(),
            Self::Asset(asset) => asset.symbol.as_str(),
        }
    }
}

/// A positive decimal amount, kept as it was written. Compare with [`Amount::cmp_value`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Amount(String);

impl Amount {
    /// Reads an amount of `unit`.
    ///
    /// # Errors
    /// The first rule of [`BadMoney`] that it breaks.
    pub fn parse(text: &str, unit: &Unit) -> Result<Self, BadMoney> {
        let amount = Self::parse_with(text, unit.decimals())?;
        Ok(amount)
    }

    /// Reads an amount with at most `max` decimals.
    ///
    /// # Errors
    /// The first rule of [`BadMoney`] that it breaks.
    pub fn parse_with(text: &str, max: u8) -> Result<Self, BadMoney> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(BadMoney::NotDecimal),
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(BadMoney::NotDecimal);
        }
        if whole.len() > MAX_WHOLE_DIGITS {
            return Err(BadMoney::TooLarge);
        }
        if fraction.len() > usize::from(max) {
            return Err(BadMoney::TooManyDecimals { max });
        }
        if text.bytes().all(|b| b == b'0' || b == b'.') {
            return Err(BadMoney::Zero);
        }
        Ok(Self(text.to_owned()))
    }

    /// The amount as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares two amounts by value: `1.5` equals `1.50`.
    pub fn cmp_value(&self, other: &Self) -> std::cmp::Ordering {
        self.scaled().cmp(&other.scaled())
    }

    // At most 18 digits on either side, so 36 digits, which a u128 (38 digits) holds.
    fn scaled(&self) -> u128 {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let padding = usize::from(ASSET_DECIMALS).saturating_sub(fraction.len());
        let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding));
        digits.fold(0_u128, |value, digit| value * 10 + u128::from(digit - b'0'))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Unit {
        Unit::Currency(Currency::parse("EUR").unwrap())
    }

    #[test]
    fn takes_plain_decimals_only() {
        for good in ["1", "0.01", "12500.00", "999999999999999999.99"] {
            assert_eq!(Amount::parse(good, &eur()).unwrap().as_str(), good);
        }
        for bad in
            ["-1", "+1", "1e3", "NaN", "1e309", "", ".", "1.", ".5", "01", "1,000", " 1", "1.0.0", "٣", "0x1", "inf"]
        {
            assert_eq!(Amount::parse(bad, &eur()), Err(BadMoney::NotDecimal), "{bad:?}");
        }
        assert_eq!(Amount::parse("0", &eur()), Err(BadMoney::Zero));
        assert_eq!(Amount::parse("0.00", &eur()), Err(BadMoney::Zero));
        assert_eq!(Amount::parse("0.001", &eur()), Err(BadMoney::TooManyDecimals { max: 2 }));
        assert_eq!(Amount::parse("1000000000000000000", &eur()), Err(BadMoney::TooLarge));
    }

    #[test]
    fn currencies_bring_their_own_decimals() {
        assert_eq!(Currency::parse("JPY").unwrap().decimals(), 0);
        assert_eq!(Currency::parse("KWD").unwrap().decimals(), 3);
        for bad in ["XYZ", "eur", "", "XAU", "EURO"] {
            assert_eq!(Currency::parse(bad), Err(BadMoney::UnknownCurrency), "{bad:?}");
        }
    }

    #[test]
    fn compares_by_value() {
        let amount = |text| Amount::parse_with(text, 18).unwrap();
        assert!(amount("1.5").cmp_value(&amount("1.50")).is_eq());
        assert!(amount("9.99").cmp_value(&amount("10")).is_lt());
        assert!(amount("999999999999999999.999999999999999999").cmp_value(&amount("0.000000000000000001")).is_gt());
    }
}
