/// What an authentication by 3-D Secure came to, as the authorization is told of it (EMV 3-D Secure 2): the scheme holds
/// the issuer to it. In the open it exists in memory for one call and is never printed; between calls it is kept sealed.
package struct AuthenticationProof: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// `transStatus`: `Y`, or `A` for a proven attempt.
    package let status: String
    /// The electronic commerce indicator: `05`.
    package let indicator: String?
    /// `authenticationValue`, base 64 of 20 bytes.
    package let cryptogram: String
    /// `dsTransID`.
    package let directoryTransaction: String
    /// The protocol's: `2.2.0`.
    package let version: String
    /// `threeDSRequestorChallengeInd` of what the issuer was asked.
    package let challengeIndicator: String

    package init(
        status: String, indicator: String?, cryptogram: String, directoryTransaction: String, version: String,
        challengeIndicator: String
    ) {
        self.status = status
        self.indicator = indicator
        self.cryptogram = cryptogram
        self.directoryTransaction = directoryTransaction
        self.version = version
        self.challengeIndicator = challengeIndicator
    }

    /// Names nothing but the type.
    package var description: String { "AuthenticationProof" }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
