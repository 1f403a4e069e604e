/// Every event there is; the AsyncAPI test and the consistency check walk it.
public enum EventCatalog {
    /// All body types, in the order of their topics.
    public static let all: [any EventBody.Type] = [
        CustomerCreatedV1.self, CustomerUpdatedV1.self,
        PlanCreatedV1.self,
        SubscriptionCreatedV1.self,
        SubscriptionStatusChangedV1.self,
        SubscriptionPlanChangedV1.self,
        SubscriptionBilledV1.self,
        SubscriptionCollectionDueV1.self,
        SubscriptionBillingWithdrawnV1.self,
        InvoiceFinalizedV1.self,
        InvoicePaidV1.self,
        InvoicePaymentFailedV1.self,
        InvoiceRefundedV1.self,
        InvoiceVoidedV1.self,
        PaymentMethodAttachedV1.self,
        PaymentCreatedV1.self,
        PaymentRequiresActionV1.self,
        PaymentAuthorizedV1.self,
        PaymentCapturedV1.self,
        PaymentSucceededV1.self,
        PaymentFailedV1.self,
        PaymentCanceledV1.self,
        PaymentRefundedV1.self,
        PaymentDisputedV1.self,
        PaymentDisputeClosedV1.self,
        FraudAssessedV1.self,
        APIKeyChangedV1.self,
    ]
}
