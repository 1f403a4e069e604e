// What can be said of a card before anybody is asked.

const brands = [
  { name: "visa", label: "Visa", starts: /^4/, code: 3 },
  { name: "mastercard", label: "Mastercard", starts: /^(5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720))/, code: 3 },
  { name: "amex", label: "American Express", starts: /^3[47]/, code: 4 },
  { name: "discover", label: "Discover", starts: /^(6011|65|64[4-9])/, code: 3 },
  { name: "jcb", label: "JCB", starts: /^35(2[89]|[3-8])/, code: 3 },
  { name: "diners", label: "Diners Club", starts: /^3[068]/, code: 3 },
  { name: "unionpay", label: "UnionPay", starts: /^62/, code: 3 },
];

/** What is typed, in plain letters and digits: some keyboards type full-width ones, an Arabic one types Arabic digits. */
export function plainly(text) {
  return Array.from(text.normalize("NFKC"), (character) => {
    const point = character.codePointAt(0);
    if (point >= 0x660 && point <= 0x669) return String(point - 0x660);
    if (point >= 0x6f0 && point <= 0x6f9) return String(point - 0x6f0);
    return character;
  }).join("");
}

export function digitsOf(text) {
  return plainly(text).replace(/[^0-9]/g, "");
}

/** The brand by the first digits; `null` while nobody knows. */
export function brandOf(digits) {
  return brands.find((brand) => brand.starts.test(digits)) ?? null;
}

export function labelOf(name) {
  return brands.find((brand) => brand.name === name)?.label ?? "";
}

/** `4242 4242 4242 4242`, and as American Express prints it. */
export function grouped(digits) {
  if (brandOf(digits)?.name === "amex") return digits.replace(/^(.{4})(.{1,6})?(.+)?$/, (_, ...parts) => parts.slice(0, 3).filter(Boolean).join(" "));
  return digits.replace(/(.{4})(?=.)/g, "$1 ");
}

/** Whether the check digit is right (ISO/IEC 7812-1). */
export function isNumber(digits) {
  if (digits.length < 12 || digits.length > 19) return false;
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number(digits[digits.length - 1 - place]);
    sum += place % 2 === 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9;
  }
  return sum % 10 === 0;
}

/** Month and year of `04 / 29`, `4/2029` or `0429`; `null` for anything else. */
export function expiryOf(text) {
  const parts = text.split(/[^0-9\u0660-\u0669\u06f0-\u06f9]+/).map(digitsOf).filter((part) => part !== "");
  const joined = parts.length === 1 ? [parts[0].slice(0, -2), parts[0].slice(-2)] : parts;
  if (parts.length === 1 && parts[0].length === 6) joined.splice(0, 2, parts[0].slice(0, 2), parts[0].slice(2));
  if (joined.length !== 2 || ![2, 4].includes(joined[1].length) || joined[0].length > 2) return null;
  const month = Number(joined[0]);
  const year = joined[1].length === 2 ? 2000 + Number(joined[1]) : Number(joined[1]);
  return month >= 1 && month <= 12 && year >= 2000 && year <= 2100 ? { month, year } : null;
}

/** Whether the printed month is over, by this device's clock; the service decides. */
export function isPast({ month, year }, now = new Date()) {
  return year < now.getFullYear() || (year === now.getFullYear() && month < now.getMonth() + 1);
}

/** The month of an expiry being typed gets its slash. */
export function expiryTyped(text) {
  const digits = digitsOf(text);
  if (/[/.\- ]/.test(text.slice(0, 2)) || digits.length > 4) return text;
  if (digits.length === 1 && digits > "1") return `0${digits} / `;
  return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
}
