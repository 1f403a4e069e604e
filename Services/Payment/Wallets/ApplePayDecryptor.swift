package import BillingCore
import Crypto
import PaymentDomain
package import PKI

/// Turns Apple Pay tokens of version `EC_v1` and `RSA_v1` into credentials.
///
/// Source of every rule: Apple, "Payment token format reference" (developer.apple.com/documentation/passkit).
package struct ApplePayDecryptor: Sendable, CustomStringConvertible, CustomReflectable {
    /// How far the signing time may be from now, either way, unless told otherwise: five minutes.
    package static let defaultWindow: Duration = .seconds(300)

    private static let leafMarker = "1.2.840.113635.100.6.29"
    private static let intermediateMarker = "1.2.840.113635.100.6.2.14"

    private let anchors: TrustAnchors
    private let keys: [[UInt8]: ApplePayMerchantKey]
    private let window: Duration
    private let certificates = CertificateCache()

    /// Makes a decryptor.
    /// - Parameters:
    ///   - roots: The trusted roots: for production Apple Root CA - G3.
    ///   - keys: The merchant's keys of both kinds; tokens tell which they are for.
    ///   - window: How far the signing time may be from now. A token's id has to be kept that long after the signing.
    /// - Throws: ``WalletConfigurationError``.
    package init(
        roots: [Certificate], keys: [ApplePayMerchantKey], window: Duration = Self.defaultWindow
    ) throws(WalletConfigurationError) {
        guard !roots.isEmpty else { throw .noRoots }
        guard !keys.isEmpty else { throw .noKeys }
        guard keys.count <= WalletToken.maxKeys else { throw .tooManyKeys }
        anchors = TrustAnchors(roots)
        self.keys = Dictionary(keys.map { ($0.publicKeyHash, $0) }) { first, _ in first }
        self.window = window
    }

    /// Checks and opens a token.
    /// - Parameters:
    ///   - token: The `paymentData` of the browser's or the app's token as JSON, UTF-8.
    ///   - applicationData: The application data of the payment request, where it had any; the token must have been
    ///     made for just that.
    ///   - now: When the certificates have to be valid and from which the signing time may not be far.
    /// - Returns: What the token holds. Whether it was used before is for the caller to find out, by
    ///   ``WalletCredential/singleUse``; whether it pays the order, `WalletStore.take` sees to.
    /// - Throws: ``WalletTokenError``, of the first check that fails.
    package func decrypt(
        _ token: [UInt8], applicationData: [UInt8]? = nil, at now: Instant
    ) throws(WalletTokenError) -> WalletCredential {
        let token = try ApplePayToken(token)
        let signedAt: Instant = try signingTime(of: token, at: now)
        let expected: [UInt8]? = applicationData.map { Array(SHA256.hash(data: $0)) }
        guard token.applicationDataHash == expected else { throw .applicationData }
        let plain: [UInt8] = try open(token)
        let singleUse = SingleUse(
            id: "\(Wallet.applePay.rawValue):\(token.transactionID)", keepUntil: signedAt + window)
        return try ApplePayPayment(plain).credential(singleUse)
    }

    /// Checks everything about the signature and tells when it was made.
    package func signingTime(
        ofSignature signature: [UInt8], over content: [UInt8], at now: Instant
    ) throws(WalletTokenError) -> Instant {
        let signed: DetachedSignature
        do {
            signed = try DetachedSignature(signature, over: content, cache: certificates)
        } catch {
            switch error {
            case .malformed, .tooLarge: throw .malformed("signature")
            case .signerMissing, .wrongSignature: throw .signature
            }
        }
        let chain: [Certificate]
        do {
            chain = try anchors.chain(from: signed.signer, through: signed.others, at: now)
        } catch {
            throw .certificateChain
        }
        // What came along and belongs to no chain was not vouched for by anything.
        guard chain.count == 3, signed.others.allSatisfy(chain.contains) else { throw .certificateChain }
        guard chain[0].extensionValue(Self.leafMarker) != nil else { throw .leafMarker }
        guard chain[1].extensionValue(Self.intermediateMarker) != nil else { throw .intermediateMarker }
        guard let time = signed.signingTime else { throw .signingTimeMissing }
        guard now - time <= window, time - now <= window else { throw .signingTimeOutsideWindow }
        return time
    }

    private func signingTime(of token: ApplePayToken, at now: Instant) throws(WalletTokenError) -> Instant {
        try signingTime(ofSignature: token.signature, over: token.signedBytes, at: now)
    }

    private func open(_ token: ApplePayToken) throws(WalletTokenError) -> [UInt8] {
        guard let key = keys[token.publicKeyHash] else { throw .unknownMerchantKey }
        let symmetric: SymmetricKey
        switch (token.version, key.half) {
        case (.ellipticCurve(let ephemeral), .ellipticCurve(let own, let partyV)):
            symmetric = try ApplePaySealing.key(own: own, ephemeral: ephemeral, partyV: partyV)
        case (.rsa(let wrapped), .rsa(let own)):
            symmetric = try ApplePaySealing.key(wrapped: wrapped, for: own)
        default: throw .unknownMerchantKey
        }
        return try ApplePaySealing.open(token.data, key: symmetric)
    }

    /// Names nothing but the type.
    package var description: String { "ApplePayDecryptor" }
    /// Shows no keys.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
