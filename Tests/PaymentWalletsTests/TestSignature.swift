import BillingCore
import Crypto

/// Writes detached CMS signatures, right ones and ones with a single thing wrong.
struct TestSignature {
    static let data = "1.2.840.113549.1.7.1"

    var chain: TestChain
    /// The certificates that go along, in DER; `nil` for leaf and intermediate.
    var certificates: [[UInt8]]?
    var signingTime: Instant? = World.now
    var usesGeneralizedTime = false
    var repeatsSigningTime = false
    /// End marks instead of lengths for the outer layers.
    var isIndefinite = false
    var attachesContent = false
    var hasAttributes = true
    var signers = 1
    var digest = "2.16.840.1.101.3.4.2.1"

    /// NULL as the digest's parameters may be left out.
    var omitsParameters = false

    private var digestAlgorithm: [UInt8] {
        DER.sequence([DER.identifier(digest), omitsParameters ? [] : DER.null])
    }

    func over(_ content: [UInt8]) throws -> [UInt8] {
        let carried: [[UInt8]] = try certificates ?? [chain.leafDER(), chain.intermediateDER()]
        var inner: [[UInt8]] = [DER.identifier(Self.data)]
        if attachesContent { inner.append(wrap(0xA0, DER.octets(content))) }
        let signer: [UInt8] = try signerInfo(content)
        let signedData: [[UInt8]] = [
            DER.integer(1), DER.set([digestAlgorithm]), wrap(0x30, inner.flatMap { $0 }),
            wrap(0xA0, carried.flatMap { $0 }),
            DER.value(0x31, Array(repeating: signer, count: signers).flatMap { $0 }),
        ]
        let outer: [UInt8] = wrap(0xA0, wrap(0x30, signedData.flatMap { $0 }))
        return wrap(0x30, DER.identifier("1.2.840.113549.1.7.2") + outer)
    }

    private func wrap(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        isIndefinite ? DER.indefinite(tag, content) : DER.value(tag, content)
    }

    private func signerInfo(_ content: [UInt8]) throws -> [UInt8] {
        let attributes: [UInt8] = DER.set(attributes(content))
        let signed: [UInt8] = hasAttributes ? attributes : content
        return DER.sequence([
            DER.integer(1), DER.sequence([chain.intermediate.nameDER, chain.leaf.serialDER]), digestAlgorithm,
            hasAttributes ? [0xA0] + attributes.dropFirst() : [], chain.leaf.key.algorithm,
            DER.octets(try chain.leaf.key.sign(signed)),
        ])
    }

    private func attributes(_ content: [UInt8]) -> [[UInt8]] {
        func attribute(_ name: String, _ value: [UInt8]) -> [UInt8] {
            DER.sequence([DER.identifier(name), DER.set([value])])
        }
        let hash: [UInt8] =
            digest == "1.3.14.3.2.26"
            ? Array(Insecure.SHA1.hash(data: content)) : Array(SHA256.hash(data: content))
        var list: [[UInt8]] = [
            attribute("1.2.840.113549.1.9.3", DER.identifier(Self.data)),
            attribute("1.2.840.113549.1.9.4", DER.octets(hash)),
        ]
        if let signingTime {
            let time: [UInt8] =
                usesGeneralizedTime ? DER.generalizedTime(signingTime) : DER.utcTime(signingTime)
            list.append(attribute("1.2.840.113549.1.9.5", time))
            if repeatsSigningTime {
                list.append(attribute("1.2.840.113549.1.9.5", DER.utcTime(signingTime + .seconds(1))))
            }
        }
        return list
    }
}
