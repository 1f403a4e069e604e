// Amounts stay whole numbers of minor units in text: a script's numbers end too early, and fractions of them lie.

/** `"1299"` with exponent 2 is `"12.99"`. */
export function decimal(minor, exponent) {
  if (exponent === 0) return minor;
  const digits = minor.padStart(exponent + 1, "0");
  return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** An amount as the reader's language writes it. */
export function amountText(minor, currency, exponent, locale) {
  const options = {
    style: "currency", currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent,
  };
  // Formatted from text, so that every digit is kept.
  return new Intl.NumberFormat(locale, options).format(decimal(minor, exponent));
}
