//! The transfer as a page shows it: amount, payee, account, and the lines below.
//!
//! Owns how an amount is grouped, how an account is split for the eye, and which text is marked as somebody else's. On
//! a page that decides, nothing is shortened (whole values defeat look-alike addresses); a page behind a link in a
//! notice gets `MaskedDeal`, which can't hold the whole. Imports `clocktext` and `given`; printed by
//! `templates/parts/deal.html` and `masked.html`.

use super::clocktext::Moment;
use super::given::Given;
use askama::Template;

/// From this many characters an amount gets the smaller size, so that it stays on one line of a narrow phone.
const LONG_AMOUNT: usize = 12;

/// An amount in a currency or asset, whole and grouped in threes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountText {
    parts: Vec<String>,
    unit: Given,
}

impl AmountText {
    /// `decimal` is a plain decimal string with every place the record has («12500.00»); `unit` a code («EUR», «BTC»),
    /// never a symbol.
    pub fn new(decimal: &str, unit: &str) -> Self {
        let decimal = Given::new(decimal).to_string();
        let (whole, fraction) = match decimal.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (decimal.as_str(), None),
        };
        let digits: Vec<char> = whole.chars().collect();
        let first = match digits.len() % 3 {
            0 => 3,
            n => n,
        };
        let (head, rest) = digits.split_at(first.min(digits.len()));
        let mut parts: Vec<String> =
            std::iter::once(head).chain(rest.chunks(3)).map(|group| group.iter().collect()).collect();
        let last = parts.len() - 1;
        for part in &mut parts[..last] {
            part.push(',');
        }
        if let Some(fraction) = fraction {
            parts[last].push('.');
            parts[last].push_str(fraction);
        }
        Self { parts, unit: Given::new(unit) }
    }

    /// «12,» «500.00»: a line may break between them, never inside.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    pub fn unit(&self) -> &Given {
        &self.unit
    }

    /// The whole on one line: «12,500.00 EUR».
    pub fn plain(&self) -> String {
        format!("{} {}", self.parts.concat(), self.unit)
    }

    pub fn is_long(&self) -> bool {
        self.parts.iter().map(|part| part.chars().count()).sum::<usize>() > LONG_AMOUNT
    }
}

/// What kind of place the money goes to; it names the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    Account,
    Address,
}

/// One line below the account: a label and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    label: &'static str,
    cells: Vec<Cell>,
}

/// A piece of a line. The kind says whose words they are, and so how they are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Our words.
    Text(String),
    /// An instant, at the start of its line.
    At(Moment),
    /// A name that somebody gave: isolated, so that its direction stays its own.
    Given(Given),
    /// Words of whoever started the transfer: quoted, never linked.
    Quoted(Given),
}

impl Row {
    pub fn text(label: &'static str, text: impl Into<String>) -> Self {
        Self::of(label, Cell::Text(text.into()))
    }

    pub fn at(label: &'static str, moment: Moment) -> Self {
        Self::of(label, Cell::At(moment))
    }

    pub fn given(label: &'static str, text: &str) -> Self {
        Self::of(label, Cell::Given(Given::new(text)))
    }

    pub fn quoted(label: &'static str, text: &str) -> Self {
        Self::of(label, Cell::Quoted(Given::new(text)))
    }

    /// Adds our words to the line, as they stand: with their leading space or comma.
    #[must_use]
    pub fn then(mut self, text: &str) -> Self {
        self.cells.push(Cell::Text(text.to_owned()));
        self
    }

    /// Adds a name that somebody gave.
    #[must_use]
    pub fn then_given(mut self, text: &Given) -> Self {
        self.cells.push(Cell::Given(text.clone()));
        self
    }

    pub fn label(&self) -> &'static str {
        self.label
    }

    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn of(label: &'static str, cell: Cell) -> Self {
        Self { label, cells: vec![cell] }
    }
}

/// Beside a payee's name with a letter that looks like another one.
pub const MIXED_ALPHABETS: &str = "This name mixes two alphabets. Check it letter by letter.";

/// The whole transfer, for the holder's device and for the browser that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/deal.html")]
pub struct Deal {
    amount: AmountText,
    payee: Given,
    kind: AccountKind,
    account: Vec<String>,
    notes: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Deal {
    /// `payee` and `account` as the record has them; the account is shown whole, in fours.
    pub fn new(amount: AmountText, payee: &str, kind: AccountKind, account: &str) -> Self {
        let letters: Vec<char> = Given::new(account).to_string().chars().filter(|c| *c != ' ').collect();
        Self {
            amount,
            payee: Given::new(payee),
            kind,
            account: letters.chunks(4).map(|four| four.iter().collect()).collect(),
            notes: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds something to look at twice, such as [`MIXED_ALPHABETS`].
    #[must_use]
    pub fn note(mut self, text: &'static str) -> Self {
        self.notes.push(text);
        self
    }

    #[must_use]
    pub fn row(mut self, row: Row) -> Self {
        self.rows.push(row);
        self
    }

    pub fn amount(&self) -> &AmountText {
        &self.amount
    }

    pub fn payee(&self) -> &Given {
        &self.payee
    }

    pub fn account_label(&self) -> &'static str {
        match self.kind {
            AccountKind::Account => "To account",
            AccountKind::Address => "To address",
        }
    }

    pub fn account(&self) -> &[String] {
        &self.account
    }

    pub fn notes(&self) -> &[&'static str] {
        &self.notes
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// The transfer as anybody with a link from a notice may see it. Built from the whole values, it keeps only what it
/// shows.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/masked.html")]
pub struct MaskedDeal {
    amount: AmountText,
    payee: Given,
    kind: AccountKind,
    ending: Given,
}

impl MaskedDeal {
    pub fn new(amount: AmountText, payee: &str, kind: AccountKind, account: &str) -> Self {
        Self { amount, payee: Given::masked_name(payee), kind, ending: Given::ending(account) }
    }

    pub fn amount(&self) -> &AmountText {
        &self.amount
    }

    pub fn payee(&self) -> &Given {
        &self.payee
    }

    pub fn account_label(&self) -> &'static str {
        match self.kind {
            AccountKind::Account => "To account",
            AccountKind::Address => "To address",
        }
    }

    pub fn ending(&self) -> &Given {
        &self.ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_keep_every_place() {
        let plain = |decimal: &str, unit: &str| AmountText::new(decimal, unit).plain();
        assert_eq!(plain("12500.00", "EUR"), "12,500.00 EUR");
        assert_eq!(plain("900", "JPY"), "900 JPY");
        assert_eq!(plain("1234567.12345678", "BTC"), "1,234,567.12345678 BTC");
        assert_eq!(plain("0.000000000000000001", "ETH"), "0.000000000000000001 ETH");
        assert_eq!(plain("100000", "GBP"), "100,000 GBP");
        assert_eq!(plain("", "EUR"), " EUR");
    }

    #[test]
    fn long_amounts_are_known_as_long() {
        assert!(!AmountText::new("12500.00", "EUR").is_long());
        assert!(AmountText::new("1234567.12345678", "BTC").is_long());
    }

    #[test]
    fn an_account_is_whole_and_in_fours() {
        let amount = AmountText::new("1.00", "EUR");
        let deal = Deal::new(amount, "A", AccountKind::Account, "PL61 1090 1014 0000 0712 1981 287");
        assert_eq!(deal.account().concat(), "PL6110901014000007121981287");
        assert_eq!(deal.account().last().map(String::as_str), Some("287"));
    }
}
