"""The part of the Admin GraphQL schema that customers are read and written by, as the vendor's reference names it."""

from __future__ import annotations

SDL = """
scalar DateTime
scalar UnsignedInt64

enum CustomerEmailMarketingState { INVALID NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerEmailAddressMarketingState { INVALID NOT_SUBSCRIBED PENDING SUBSCRIBED UNSUBSCRIBED }
enum CustomerSmsMarketingState { NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerMarketingOptInLevel { CONFIRMED_OPT_IN SINGLE_OPT_IN UNKNOWN }
enum CustomerConsentCollectedFrom { OTHER SHOPIFY }
enum CustomerState { DECLINED DISABLED ENABLED INVITED }

interface DisplayableError { field: [String!] message: String! }
type UserError implements DisplayableError { field: [String!] message: String! }
type CodedUserError implements DisplayableError { code: String field: [String!] message: String! }

type CustomerEmailMarketingConsentState {
  consentUpdatedAt: DateTime
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingState: CustomerEmailMarketingState!
}
type CustomerSmsMarketingConsentState {
  consentCollectedFrom: CustomerConsentCollectedFrom
  consentUpdatedAt: DateTime
  marketingOptInLevel: CustomerMarketingOptInLevel!
  marketingState: CustomerSmsMarketingState!
}
type CustomerEmailAddress {
  emailAddress: String!
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingState: CustomerEmailAddressMarketingState!
  marketingUpdatedAt: DateTime
}
type CustomerPhoneNumber {
  marketingCollectedFrom: CustomerConsentCollectedFrom
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingState: CustomerSmsMarketingState!
  marketingUpdatedAt: DateTime
  phoneNumber: String!
}
type MailingAddress {
  address1: String address2: String city: String company: String country: String countryCodeV2: String
  firstName: String formattedArea: String id: ID! lastName: String name: String phone: String province: String
  provinceCode: String zip: String
}
type PageInfo { endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String }
type MailingAddressEdge { cursor: String! node: MailingAddress! }
type MailingAddressConnection { edges: [MailingAddressEdge!]! nodes: [MailingAddress!]! pageInfo: PageInfo! }
type Customer {
  addresses(first: Int): [MailingAddress!]!
  addressesV2(first: Int, after: String): MailingAddressConnection!
  createdAt: DateTime!
  defaultAddress: MailingAddress
  defaultEmailAddress: CustomerEmailAddress
  defaultPhoneNumber: CustomerPhoneNumber
  displayName: String!
  email: String
  emailMarketingConsent: CustomerEmailMarketingConsentState
  firstName: String
  id: ID!
  lastName: String
  legacyResourceId: UnsignedInt64!
  locale: String!
  note: String
  numberOfOrders: UnsignedInt64!
  phone: String
  smsMarketingConsent: CustomerSmsMarketingConsentState
  state: CustomerState!
  tags: [String!]!
  taxExempt: Boolean!
  updatedAt: DateTime!
  verifiedEmail: Boolean!
}
type CustomerEdge { cursor: String! node: Customer! }
type CustomerConnection { edges: [CustomerEdge!]! nodes: [Customer!]! pageInfo: PageInfo! }
type Shop { id: ID! name: String! myshopifyDomain: String! }

input MailingAddressInput {
  address1: String address2: String city: String company: String country: String countryCode: String
  firstName: String id: ID lastName: String phone: String province: String provinceCode: String zip: String
}
input CustomerEmailMarketingConsentInput {
  consentUpdatedAt: DateTime
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingState: CustomerEmailMarketingState!
  sourceLocationId: ID
}
input CustomerSmsMarketingConsentInput {
  consentUpdatedAt: DateTime
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingState: CustomerSmsMarketingState!
  sourceLocationId: ID
}
input CustomerEmailMarketingConsentUpdateInput {
  customerId: ID!
  emailMarketingConsent: CustomerEmailMarketingConsentInput!
}
input CustomerSmsMarketingConsentUpdateInput { customerId: ID! smsMarketingConsent: CustomerSmsMarketingConsentInput! }
input CustomerInput {
  addresses: [MailingAddressInput!]
  email: String
  emailMarketingConsent: CustomerEmailMarketingConsentInput
  firstName: String
  id: ID
  lastName: String
  locale: String
  note: String
  phone: String
  smsMarketingConsent: CustomerSmsMarketingConsentInput
  tags: [String!]
  taxExempt: Boolean
}
input CustomerDeleteInput { id: ID! }
input CustomerIdentifierInput { emailAddress: String id: ID phoneNumber: String }

type CustomerPayload { customer: Customer userErrors: [UserError!]! }
type CustomerConsentPayload { customer: Customer userErrors: [CodedUserError!]! }
type CustomerAddressPayload { address: MailingAddress userErrors: [UserError!]! }
type CustomerAddressDeletePayload { deletedAddressId: ID userErrors: [UserError!]! }
type CustomerDeletePayload { deletedCustomerId: ID shop: Shop! userErrors: [UserError!]! }
type CustomerDataErasurePayload { customerId: ID userErrors: [CodedUserError!]! }

type Query {
  customer(id: ID!): Customer
  customerByIdentifier(identifier: CustomerIdentifierInput!): Customer
  customers(first: Int, after: String, query: String): CustomerConnection!
  shop: Shop!
}
type Mutation {
  customerAddressCreate(address: MailingAddressInput!, customerId: ID!, setAsDefault: Boolean): CustomerAddressPayload
  customerAddressDelete(addressId: ID!, customerId: ID!): CustomerAddressDeletePayload
  customerAddressUpdate(
    address: MailingAddressInput!, addressId: ID!, customerId: ID!, setAsDefault: Boolean
  ): CustomerAddressPayload
  customerCreate(input: CustomerInput!): CustomerPayload
  customerDelete(input: CustomerDeleteInput!): CustomerDeletePayload
  customerEmailMarketingConsentUpdate(input: CustomerEmailMarketingConsentUpdateInput!): CustomerConsentPayload
  customerRequestDataErasure(customerId: ID!): CustomerDataErasurePayload
  customerSmsMarketingConsentUpdate(input: CustomerSmsMarketingConsentUpdateInput!): CustomerConsentPayload
  customerUpdate(input: CustomerInput!): CustomerPayload
  customerUpdateDefaultAddress(addressId: ID!, customerId: ID!): CustomerPayload
}
"""
