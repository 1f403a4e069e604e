public import BillingCore
import COpenSSL
import Synchronization

/// Why certificates form no chain to a root that is trusted.
public enum ChainError: Error, Equatable, Sendable {
    /// One of the chain is not valid yet, or no longer.
    case outsideValidity
    /// No chain of right signatures, certificate authorities and acceptable algorithms ends at a trusted root.
    case untrusted
}

/// The roots a caller trusts, and nothing else: not those of the system.
///
/// Chains are checked by RFC 5280 section 6 without revocation lists, at security level 2 of OpenSSL (no SHA-1, no keys
/// below 112 bits of strength). A chain that was found good is remembered with the span in which all of it is valid.
public final class TrustAnchors: Sendable {
    /// How many chains are remembered.
    public static let maxRememberedChains = 64

    private struct Question: Hashable {
        let leaf: Certificate
        let intermediates: [Certificate]
    }

    private struct Answer {
        let chain: [Certificate]
        let validity: ClosedRange<Instant>
    }

    /// The trusted roots.
    public let roots: [Certificate]
    private let remembered: Mutex<[Question: Answer]> = Mutex([:])

    /// Trusts these roots.
    public init(_ roots: [Certificate]) { self.roots = roots }

    /// Finds the chain from a certificate to a trusted root.
    /// - Parameters:
    ///   - leaf: Where the chain starts.
    ///   - intermediates: Certificates that may stand between; what does not fit is ignored.
    ///   - instant: When all of the chain has to be valid.
    /// - Returns: The chain, leaf first, root last.
    /// - Throws: ``ChainError``.
    public func chain(
        from leaf: Certificate, through intermediates: [Certificate], at instant: Instant
    ) throws(ChainError) -> [Certificate] {
        let question = Question(leaf: leaf, intermediates: intermediates)
        if let answer = remembered.withLock({ $0[question] }), answer.validity.contains(instant) {
            return answer.chain
        }
        let chain: [Certificate] = try search(question, at: instant)
        if let validity = Self.validity(of: chain) {
            remembered.withLock { known in
                if known.count >= Self.maxRememberedChains { known.removeAll() }
                known[question] = Answer(chain: chain, validity: validity)
            }
        }
        return chain
    }

    /// When every certificate is valid; `nil` for never.
    private static func validity(of chain: [Certificate]) -> ClosedRange<Instant>? {
        guard let start = chain.map(\.notBefore).max(), let end = chain.map(\.notAfter).min(), start <= end else {
            return nil
        }
        return start...end
    }

    private func search(_ question: Question, at instant: Instant) throws(ChainError) -> [Certificate] {
        defer { ERR_clear_error() }
        guard let trusted = CertificateStack(roots), let offered = CertificateStack(question.intermediates),
            let context = X509_STORE_CTX_new()
        else { throw .untrusted }
        defer { X509_STORE_CTX_free(context) }
        guard X509_STORE_CTX_init(context, nil, question.leaf.handle.pointer, offered.pointer) == 1,
            let parameters = X509_STORE_CTX_get0_param(context)
        else { throw .untrusted }
        X509_STORE_CTX_set0_trusted_stack(context, trusted.pointer)
        X509_VERIFY_PARAM_set_time(parameters, Int(instant.seconds))
        X509_VERIFY_PARAM_set_auth_level(parameters, 2)
        guard X509_verify_cert(context) == 1 else {
            switch X509_STORE_CTX_get_error(context) {
            case X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED: throw .outsideValidity
            default: throw .untrusted
            }
        }
        guard let found = X509_STORE_CTX_get1_chain(context) else { throw .untrusted }
        defer { certificate_stack_release(found) }
        guard let chain = CertificateStack.certificates(of: found) else { throw .untrusted }
        return chain
    }
}

/// A stack of certificates as OpenSSL wants it; it holds on to them while it lives.
final class CertificateStack {
    let pointer: OpaquePointer
    private let certificates: [Certificate]

    init?(_ certificates: [Certificate]) {
        guard let stack = certificate_stack_new() else { return nil }
        pointer = stack
        self.certificates = certificates
        for certificate in certificates {
            guard certificate_stack_push(stack, certificate.handle.pointer) > 0 else { return nil }
        }
    }

    deinit { certificate_stack_free(pointer) }

    /// The certificates on a stack of OpenSSL's, each with a reference of its own; `nil` when one is unusable.
    static func certificates(of stack: OpaquePointer) -> [Certificate]? {
        var found: [Certificate] = []
        for index in 0..<max(0, certificate_stack_count(stack)) {
            guard let pointer = certificate_stack_at(stack, index), X509_up_ref(pointer) == 1,
                let handle = CertificateHandle(owning: pointer), let certificate = Certificate(handle)
            else { return nil }
            found.append(certificate)
        }
        return found
    }
}
