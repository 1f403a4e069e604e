import Crypto
import Testing

import PaymentChains

private func hex(_ bytes: [UInt8]) -> String { Hex.encode(bytes) }

@Suite("Hashes that the crypto library lacks") struct HashTests {
    /// Source: the RIPEMD-160 paper's appendix, and the authors' page.
    @Test(
        "RIPEMD-160 gives the published digests",
        arguments: [
            ("", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
            ("a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
            ("abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
            ("message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
            ("abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "12a053384a9c0c88e405a06c27dcf49ada62eb2b"
            ),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "b0e20b6e3116640286ed3a87a5713079b21f5189"
            ),
            (String(repeating: "1234567890", count: 8), "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
        ] as [(String, String)])
    func ripemd(message: String, digest: String) {
        #expect(hex(RIPEMD160.hash(Array(message.utf8))) == digest)
    }

    @Test("RIPEMD-160 of a million letters a") func millionLetters() {
        let message: [UInt8] = Array(repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(hex(RIPEMD160.hash(message)) == "52783243c1697bdbe16d37f97f68f08325dc1528")
    }

    /// Source: Keccak team, ShortMsgKAT_256 (lengths 0 and 8 bits); ERC-20 for the topic and the selectors.
    @Test(
        "Keccak-256 gives the published digests",
        arguments: [
            ([], "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            ([0xCC], "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
            (Array("abc".utf8), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            (
                Array("Transfer(address,address,uint256)".utf8),
                "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
            ),
        ] as [([UInt8], String)])
    func keccak(message: [UInt8], digest: String) { #expect(hex(Keccak256.hash(message)) == digest) }

    @Test("the sponge with the padding of SHA-3 agrees with the crypto library at every length around the block size")
    func sponge() throws {
        for length in 0...420 {
            let message: [UInt8] = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(Keccak256.sponge(message, padding: 0x06) == Array(SHA3_256.hash(data: message)), "length \(length)")
        }
    }
}
