// A website that logs people in with go-oidc.
//
// ISSUER, CLIENT_ID and CLIENT_SECRET say where and as what, SITE is the site's own address and LISTEN where it listens.
// People who are logged in are kept in memory.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type site struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
	home     string
	logout   string

	mutex  sync.Mutex
	logins map[string]*login
}

// A login that is under way, or done if it has tokens.
type login struct {
	state, nonce, verifier string
	tokens                 *oauth2.Token
	idToken                string
	claims                 map[string]any
}

func newSite(ctx context.Context) (*site, error) {
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		return nil, err
	}
	s := &site{
		provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: os.Getenv("CLIENT_ID")}),
		oauth: oauth2.Config{
			ClientID:     os.Getenv("CLIENT_ID"),
			ClientSecret: os.Getenv("CLIENT_SECRET"),
			Endpoint:     provider.Endpoint(),
			RedirectURL:  os.Getenv("SITE") + "/callback",
			Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
		},
		home:   os.Getenv("SITE") + "/",
		logins: map[string]*login{},
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, err
	}
	s.logout = metadata.EndSession
	return s, nil
}

func (s *site) handleLogin(w http.ResponseWriter, r *http.Request) {
	l := &login{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	s.remember(w, r, l)
	http.Redirect(w, r, s.oauth.AuthCodeURL(l.state, oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier)), http.StatusFound)
}

func (s *site) handleCallback(w http.ResponseWriter, r *http.Request) {
	l := s.login(r)
	if l == nil || l.state == "" || r.FormValue("state") != l.state {
		refuse(w, http.StatusForbidden, "the state is not the one that was sent")
		return
	}
	tokens, err := s.oauth.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(l.verifier))
	if err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := s.verifier.Verify(r.Context(), raw)
	if err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	if idToken.Nonce != l.nonce {
		refuse(w, http.StatusForbidden, "the nonce is not the one that was sent")
		return
	}
	done := &login{tokens: tokens, idToken: raw}
	if err := idToken.Claims(&done.claims); err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	s.remember(w, r, done)
	http.Redirect(w, r, "/", http.StatusFound)
}

func (s *site) handleHome(w http.ResponseWriter, r *http.Request) {
	l := s.login(r)
	if l == nil || l.tokens == nil {
		refuse(w, http.StatusUnauthorized, "nobody is logged in")
		return
	}
	info, err := s.provider.UserInfo(r.Context(), oauth2.StaticTokenSource(l.tokens))
	if err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	var userinfo map[string]any
	if err := info.Claims(&userinfo); err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]any{"claims": l.claims, "userinfo": userinfo})
}

func (s *site) handleRefresh(w http.ResponseWriter, r *http.Request) {
	l := s.login(r)
	if l == nil || l.tokens == nil {
		refuse(w, http.StatusUnauthorized, "nobody is logged in")
		return
	}
	// The source gets new tokens when the old ones are at their end.
	old := *l.tokens
	old.Expiry = time.Now()
	tokens, err := s.oauth.TokenSource(r.Context(), &old).Token()
	if err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	s.remember(w, r, &login{tokens: tokens, idToken: l.idToken, claims: l.claims})
	http.Redirect(w, r, "/", http.StatusFound)
}

func (s *site) handleLogout(w http.ResponseWriter, r *http.Request) {
	l := s.login(r)
	if l == nil || l.tokens == nil {
		refuse(w, http.StatusUnauthorized, "nobody is logged in")
		return
	}
	query := url.Values{"id_token_hint": {l.idToken}, "post_logout_redirect_uri": {s.home}}
	s.remember(w, r, &login{})
	http.Redirect(w, r, s.logout+"?"+query.Encode(), http.StatusFound)
}

// remember begins a new session in place of the browser's old one.
func (s *site) remember(w http.ResponseWriter, r *http.Request, l *login) {
	id := rand.Text()
	s.mutex.Lock()
	if old, err := r.Cookie("id"); err == nil {
		delete(s.logins, old.Value)
	}
	s.logins[id] = l
	s.mutex.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "id", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *site) login(r *http.Request) *login {
	cookie, err := r.Cookie("id")
	if err != nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.logins[cookie.Value]
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]any{"error": why})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func main() {
	s, err := newSite(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{$}", s.handleHome)
	http.HandleFunc("GET /login", s.handleLogin)
	http.HandleFunc("GET /callback", s.handleCallback)
	http.HandleFunc("GET /refresh", s.handleRefresh)
	http.HandleFunc("GET /logout", s.handleLogout)
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}
