/// The check that a wallet's token did not pass. The token is refused; nothing of it may be used.
package enum WalletTokenError: Error, Hashable, Sendable {
    /// Longer than ``WalletToken/maxBytes``.
    case tooLarge
    /// A field that is missing, of the wrong type or not of its form; the path names it, `token` is the whole.
    /// The path is one of this target's own words, never the sender's.
    case malformed(String)
    /// A `protocolVersion` or `version` other than those read here.
    case unsupportedVersion

    /// Google Pay: no unexpired root key signed the intermediate key.
    case intermediateKeySignature
    /// Google Pay: the intermediate key is past its expiration.
    case intermediateKeyExpired
    /// Google Pay: the intermediate key did not sign this message from Google to this recipient.
    case messageSignature
    /// Google Pay: the message is past its expiration.
    case messageExpired
    /// Google Pay: the message is for another merchant of the gateway.
    case gatewayMerchant

    /// Apple Pay: the signature does not belong to the fields of the token.
    case signature
    /// Apple Pay: the signer's certificates form no chain of three that is valid now and ends at a trusted root.
    case certificateChain
    /// Apple Pay: the signer's certificate is not one for payment tokens (extension 1.2.840.113635.100.6.29).
    case leafMarker
    /// Apple Pay: the certificate above it is not the one it should be (extension 1.2.840.113635.100.6.2.14).
    case intermediateMarker
    /// Apple Pay: the signature does not tell when it was made.
    case signingTimeMissing
    /// Apple Pay: the signature was made too long ago, or in the future.
    case signingTimeOutsideWindow
    /// Apple Pay: none of the merchant's keys has the hash that the token names.
    case unknownMerchantKey
    /// Apple Pay: the token was made for other application data than expected.
    case applicationData

    /// No key of the merchant opens the message, or it was changed.
    case decryption
    /// A payment method, kind of authentication or kind of payment data that is not read here.
    case unsupportedMethod
}

/// Keys or roots that a decryptor cannot be made of. No text of them is repeated.
package enum WalletConfigurationError: Error, Hashable, Sendable {
    /// There is not one key.
    case noKeys
    /// More than ``WalletToken/maxKeys`` keys.
    case tooManyKeys
    /// There is no trusted root.
    case noRoots
    /// The key at this position is not one of the required kind.
    case unreadableKey(Int)
    /// Root signing keys that are not the JSON object they should be.
    case unreadableRootKeys
    /// An empty merchant or gateway id.
    case emptyIdentifier
}

/// Limits on payment tokens.
package enum WalletToken {
    /// The longest token that is read, in bytes. Real ones have 1,500 to 6,000.
    package static let maxBytes = 32_768
    /// The most keys of a merchant that are held at once: the present one and those being phased in or out.
    package static let maxKeys = 8
}
